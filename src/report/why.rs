//! The answer of `why` as text for people and as JSON for programs, schema
//! `flowcinch.why.v1`.
//!
//! Ids and addresses come from snapshots that others may have written, so
//! they are made inert before a terminal shows them.

use serde::Serialize;

use crate::attribute::nearest::service_text;
use crate::attribute::verdict::Miss;
use crate::attribute::why::Answer;
use crate::attribute::why::Layer;
use crate::attribute::why::Near;
use crate::attribute::why::Passage;
use crate::attribute::why::Place;
use crate::attribute::why::Stage;
use crate::model::Direction;
use crate::model::EniId;
use crate::model::SgRuleId;
use crate::report::escape;
use crate::report::escape::inert;

/// Name and version of the JSON form.
pub const SCHEMA: &str = "flowcinch.why.v1";

/// The answer for people: the outcome, one stage per line, what is nearest,
/// and what the answer rests on. Ends with a newline.
#[must_use]
pub fn text(answer: &Answer) -> String {
    let mut out = headline(answer);
    out.push('\n');
    let names = answer
        .stages
        .iter()
        .map(|stage| stage.interface_id.as_str().len());
    let width = names.max().unwrap_or(0);
    for stage in &answer.stages {
        push_line(&mut out, &stage_line(stage, width));
    }
    for stage in &answer.stages {
        for near in &stage.nearest {
            push_line(&mut out, &format!("nearest: {}", near.text));
        }
    }
    for note in &answer.notes {
        push_line(&mut out, &format!("note: {note}"));
    }
    out
}

fn headline(answer: &Answer) -> String {
    let outcome = match answer.passage {
        Passage::Allowed => "allowed",
        Passage::Blocked => "blocked",
        Passage::Undecided => "could not tell",
    };
    let what = service_text(answer.protocol, &[answer.service]);
    let line = format!(
        "{outcome}: {what} from {} to {}",
        place(&answer.source),
        place(&answer.destination)
    );
    inert(&line).into_owned()
}

fn place(place: &Place) -> String {
    match place.interface_id {
        Some(id) => format!("{} ({id})", place.name),
        None => place.name.clone(),
    }
}

fn stage_line(stage: &Stage, width: usize) -> String {
    let mark = match stage.passage {
        Passage::Allowed => "pass",
        Passage::Blocked => "stop",
        Passage::Undecided => "?",
    };
    let layer = match stage.layer {
        Layer::SecurityGroup => "security group",
        Layer::NetworkAcl => "network ACL",
    };
    let way = if stage.reply { "reply" } else { "request" };
    let id = stage.interface_id.as_str();
    let direction = stage.direction.to_string();
    format!(
        "  {mark:<4}  {way:<7}  {id:<width$}  {direction:<7}  {layer:<14}  {}",
        stage.text
    )
}

fn push_line(out: &mut String, line: &str) {
    out.push_str(&inert(line));
    out.push('\n');
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    allowed: bool,
    stages: Vec<StageDocument<'a>>,
    outcome: &'static str,
    source: PlaceDocument<'a>,
    destination: PlaceDocument<'a>,
    protocol: String,
    service: String,
    notes: &'a [String],
}

#[derive(Serialize)]
struct PlaceDocument<'a> {
    address: &'a str,
    interface_id: Option<EniId>,
}

#[derive(Serialize)]
struct StageDocument<'a> {
    interface_id: EniId,
    direction: Direction,
    layer: &'static str,
    reply: bool,
    allowed: bool,
    undecided: bool,
    rules: &'a [String],
    nearest: Vec<NearDocument<'a>>,
    text: &'a str,
}

#[derive(Serialize)]
struct NearDocument<'a> {
    rule_id: &'a SgRuleId,
    misses: &'a [Miss],
    text: &'a str,
}

/// The answer for programs, indented, with a newline at its end. Beside the
/// contract's keys: `outcome` (`allowed`, `blocked`, `undecided`), the ends,
/// `notes`, and for each stage `undecided` (then `allowed` is false) and
/// `text`.
pub fn json(answer: &Answer) -> Result<String, serde_json::Error> {
    let document = Document {
        schema: SCHEMA,
        allowed: answer.passage == Passage::Allowed,
        stages: answer.stages.iter().map(stage_document).collect(),
        outcome: match answer.passage {
            Passage::Allowed => "allowed",
            Passage::Blocked => "blocked",
            Passage::Undecided => "undecided",
        },
        source: place_document(&answer.source),
        destination: place_document(&answer.destination),
        protocol: answer.protocol.to_string(),
        service: service_text(answer.protocol, &[answer.service]),
        notes: &answer.notes,
    };
    let mut out = escape::json(serde_json::to_string_pretty(&document)?);
    out.push('\n');
    Ok(out)
}

fn place_document(place: &Place) -> PlaceDocument<'_> {
    PlaceDocument {
        address: &place.name,
        interface_id: place.interface_id,
    }
}

fn stage_document(stage: &Stage) -> StageDocument<'_> {
    StageDocument {
        interface_id: stage.interface_id,
        direction: stage.direction,
        layer: match stage.layer {
            Layer::SecurityGroup => "security_group",
            Layer::NetworkAcl => "network_acl",
        },
        reply: stage.reply,
        allowed: stage.passage == Passage::Allowed,
        undecided: stage.passage == Passage::Undecided,
        rules: &stage.rules,
        nearest: stage.nearest.iter().map(near_document).collect(),
        text: &stage.text,
    }
}

fn near_document(near: &Near) -> NearDocument<'_> {
    NearDocument {
        rule_id: &near.rule.rule_id,
        misses: &near.rule.misses,
        text: &near.text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::verdict::NearestRule;
    use crate::net::IpProtocol;
    use crate::net::PortRange;

    fn answer() -> Answer {
        let id = EniId::parse("eni-db").unwrap();
        Answer {
            source: Place {
                name: "10.0.1.10".to_owned(),
                interface_id: None,
            },
            destination: Place {
                name: "10.0.2.30".to_owned(),
                interface_id: Some(id),
            },
            protocol: IpProtocol::TCP,
            service: PortRange::single(22),
            passage: Passage::Blocked,
            stages: vec![
                Stage {
                    interface_id: id,
                    direction: Direction::Ingress,
                    layer: Layer::NetworkAcl,
                    reply: false,
                    passage: Passage::Undecided,
                    rules: Vec::new(),
                    nearest: Vec::new(),
                    text: "not told".to_owned(),
                },
                Stage {
                    interface_id: id,
                    direction: Direction::Ingress,
                    layer: Layer::SecurityGroup,
                    reply: false,
                    passage: Passage::Blocked,
                    rules: Vec::new(),
                    nearest: vec![Near {
                        rule: NearestRule {
                            rule_id: SgRuleId::from("sgr-1"),
                            misses: vec![Miss::Port],
                        },
                        text: "sgr-1 allows tcp/443".to_owned(),
                    }],
                    text: "no rule".to_owned(),
                },
            ],
            notes: vec!["not routes".to_owned()],
        }
    }

    #[test]
    fn text_has_the_answer_first_and_a_stage_per_line() {
        let expected = "\
blocked: tcp/22 from 10.0.1.10 to 10.0.2.30 (eni-db)
  ?     request  eni-db  ingress  network ACL     not told
  stop  request  eni-db  ingress  security group  no rule
nearest: sgr-1 allows tcp/443
note: not routes
";
        assert_eq!(text(&answer()), expected);
    }

    #[test]
    fn hostile_ids_cannot_forge_lines() {
        let mut answer = answer();
        answer.stages[1].text = "by sgr\n\u{1b}[2Kallowed\u{202e}".to_owned();
        let text = text(&answer);
        assert_eq!(text.lines().count(), 5);
        assert!(text.contains("by sgr\\u{a}\\u{1b}[2Kallowed\\u{202e}"));
    }

    #[test]
    fn json_keeps_the_contract() {
        let value: serde_json::Value = serde_json::from_str(&json(&answer()).unwrap()).unwrap();
        assert_eq!(value["schema"], "flowcinch.why.v1");
        assert_eq!(value["allowed"], false);
        let unsure = &value["stages"][0];
        assert_eq!(unsure["layer"], "network_acl");
        assert_eq!(
            (&unsure["allowed"], &unsure["undecided"]),
            (&false.into(), &true.into())
        );
        let stage = &value["stages"][1];
        assert_eq!(stage["interface_id"], "eni-db");
        assert_eq!(stage["direction"], "ingress");
        assert_eq!(stage["layer"], "security_group");
        assert_eq!(stage["reply"], false);
        assert_eq!(stage["rules"], serde_json::json!([]));
        assert_eq!(stage["nearest"][0]["rule_id"], "sgr-1");
        assert_eq!(stage["nearest"][0]["misses"], serde_json::json!(["port"]));
    }
}
