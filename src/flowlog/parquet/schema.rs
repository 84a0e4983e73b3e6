//! Which columns of a file are read, and as what: those of a flow log by the
//! table of fields, those of OCSF network activity by their paths.

use parquet::basic::ConvertedType;
use parquet::basic::LogicalType;
use parquet::basic::TimeUnit;
use parquet::basic::Type;
use parquet::schema::types::ColumnDescriptor;
use parquet::schema::types::SchemaDescriptor;

use crate::flowlog::error::FormError;
use crate::flowlog::fields::Field;
use crate::flowlog::fields::Slot;
use crate::flowlog::header::Flags;
use crate::flowlog::header::Verdicts;
use crate::flowlog::header::is_transit_gateway;
use crate::flowlog::ocsf::Part;
use crate::flowlog::ocsf::part_of_path;
use crate::flowlog::parquet::code::Kind;

/// What is read of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// In the order of the file.
    pub(super) columns: Vec<Column>,
    pub(super) verdicts: Verdicts,
    pub(super) flags: Flags,
    /// Rows are OCSF events.
    pub(super) ocsf: bool,
}

/// A column that is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    /// Its place among the file's leaves.
    pub(super) leaf: usize,
    pub(super) part: Part,
    pub(super) kind: Kind,
    pub(super) physical: Physical,
    pub(super) max_definition: u8,
    pub(super) max_repetition: u8,
}

/// How values are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Physical {
    Int32,
    Int64,
    /// Whole numbers, where whoever chose the type had them written so.
    Float,
    /// The same of 64 bits.
    Double,
    Text,
}

impl Plan {
    pub(super) fn of(schema: &SchemaDescriptor) -> Result<Plan, FormError> {
        let leaves = || schema.columns().iter().map(AsRef::as_ref).enumerate();
        let known = leaves().filter(|(_, leaf)| field(leaf).is_some()).count();
        let has = |part| leaves().any(|(_, leaf)| part_of_path(leaf.path().parts()) == Some(part));
        let ocsf = has(Part::SourceAddress) && has(Part::DestinationAddress);
        if ocsf && known < 8 {
            return Ok(Plan::of_ocsf(schema));
        }
        if known < 2 {
            let names = leaves().map(|(_, leaf)| leaf.path().string());
            return Err(FormError::foreign_columns(names));
        }
        Plan::of_flow_log(schema)
    }

    fn of_flow_log(schema: &SchemaDescriptor) -> Result<Plan, FormError> {
        let mut columns: Vec<Column> = Vec::new();
        let mut verdicts = Verdicts::Given;
        let mut flags = Flags::WithoutAcks;
        for (leaf, descriptor) in schema.columns().iter().enumerate() {
            if is_transit_gateway(descriptor.name().as_bytes()) {
                verdicts = Verdicts::Absent;
            }
            if field(descriptor) == Some(Field::EniId) {
                flags = Flags::MayHaveAcks;
            }
            let Some(slot) = field(descriptor).and_then(Field::slot) else {
                continue;
            };
            let part = Part::Slot(slot);
            if columns.iter().any(|column| column.part == part) {
                continue;
            }
            let kind = match units(descriptor) {
                Some(units) if matches!(slot, Slot::Start | Slot::End) => Kind::Time(units),
                Some(_) | None => Kind::Of(slot),
            };
            columns.push(column(leaf, descriptor, part, kind).ok_or_else(|| {
                let wanted = if Kind::Of(slot).takes_numbers() {
                    "a number"
                } else {
                    "text"
                };
                let given = descriptor.physical_type().to_string();
                FormError::wrong_type(slot.name(), &given, wanted)
            })?);
        }
        if !columns.iter().any(|c| c.part == Part::Slot(Slot::Action)) {
            verdicts = Verdicts::Absent;
        }
        if verdicts == Verdicts::Absent {
            columns.retain(|column| column.part.slot().is_some_and(Slot::tells_of_interval));
        }
        Ok(Plan {
            columns,
            verdicts,
            flags,
            ocsf: false,
        })
    }

    /// Columns of other types than expected are left out: OCSF names most
    /// things twice.
    fn of_ocsf(schema: &SchemaDescriptor) -> Plan {
        let leaves = schema.columns().iter().enumerate();
        let columns = leaves.filter_map(|(leaf, descriptor)| {
            let part = part_of_path(descriptor.path().parts())?;
            column(leaf, descriptor, part, kind_of(part, descriptor))
        });
        Plan {
            columns: columns.collect(),
            verdicts: Verdicts::Given,
            flags: Flags::WithoutAcks,
            ocsf: true,
        }
    }
}

fn kind_of(part: Part, descriptor: &ColumnDescriptor) -> Kind {
    match part {
        Part::Slot(slot) => Kind::Of(slot),
        Part::SourceAddress => Kind::Of(Slot::PktSrcaddr),
        Part::DestinationAddress => Kind::Of(Slot::PktDstaddr),
        Part::SourceShown => Kind::Of(Slot::Srcaddr),
        Part::DestinationShown => Kind::Of(Slot::Dstaddr),
        Part::SourceInterface | Part::DestinationInterface => Kind::Of(Slot::InterfaceId),
        Part::Start | Part::StartAgain | Part::End | Part::EndAgain => {
            Kind::Time(units(descriptor).unwrap_or(1_000))
        }
        Part::Disposition => Kind::Disposition,
        Part::ActionId => Kind::ActionId,
        Part::ActivityId => Kind::ActivityId,
        Part::DirectionId => Kind::DirectionId,
        Part::ClassUid => Kind::ClassUid,
    }
}

fn field(leaf: &ColumnDescriptor) -> Option<Field> {
    match leaf.path().parts() {
        [name] => Field::from_name(name.as_bytes()),
        _ => None,
    }
}

fn column(leaf: usize, descriptor: &ColumnDescriptor, part: Part, kind: Kind) -> Option<Column> {
    let physical = match descriptor.physical_type() {
        Type::INT32 if kind.takes_numbers() => Physical::Int32,
        Type::INT64 if kind.takes_numbers() => Physical::Int64,
        Type::FLOAT if kind.takes_numbers() => Physical::Float,
        Type::DOUBLE if kind.takes_numbers() => Physical::Double,
        Type::BYTE_ARRAY => Physical::Text,
        Type::INT32
        | Type::INT64
        | Type::INT96
        | Type::BOOLEAN
        | Type::FLOAT
        | Type::DOUBLE
        | Type::FIXED_LEN_BYTE_ARRAY => return None,
    };
    Some(Column {
        leaf,
        part,
        kind,
        physical,
        max_definition: u8::try_from(descriptor.max_def_level()).ok()?,
        max_repetition: u8::try_from(descriptor.max_rep_level()).ok()?,
    })
}

/// Units a second of a column of times; `None` where it is plain numbers.
fn units(descriptor: &ColumnDescriptor) -> Option<i64> {
    if let Some(LogicalType::Timestamp(time)) = descriptor.logical_type_ref() {
        return Some(match time.unit {
            TimeUnit::MILLIS => 1_000,
            TimeUnit::MICROS => 1_000_000,
            TimeUnit::NANOS => 1_000_000_000,
        });
    }
    let converted = descriptor.converted_type();
    if converted == ConvertedType::TIMESTAMP_MILLIS {
        return Some(1_000);
    }
    (converted == ConvertedType::TIMESTAMP_MICROS).then_some(1_000_000)
}
