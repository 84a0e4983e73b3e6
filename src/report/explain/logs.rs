//! Pages about flow logs and what they could not tell.

use crate::report::explain::Manual;

pub(super) const SKIPPED: Manual = Manual {
    says: "SKIPDATA rows: the log service lost records in these interface-hours because of its own limits.",
    matters: "A lost record may be the one use of a rule. Such hours are taken out of the time watched and cap how strong an unused claim can be.",
    misleads: "One SKIPDATA row may stand for one lost record or for thousands; the logs do not say.",
    example: "FL301 14 SKIPDATA rows: the service lost records in 9 of 28,224 interface-hours (0.03 %).",
};

pub(super) const MALFORMED: Manual = Manual {
    says: "Lines that could not be read as the header says. The first ones are shown with object, line and reason; more than --max-bad-lines makes the exit code 3.",
    matters: "Each may have been a use of a rule. A lot of them mean that the columns are not what the program was told.",
    misleads: "A truncated last line is usual in an object whose upload was cut and costs one record only.",
    example: "FL302 3 lines could not be read (<0.01 % of all): logs/a.log.gz:1,204: field `dstport` is not a port: `99999`.",
};

pub(super) const UNREADABLE: Manual = Manual {
    says: "An object could not be read to its end: damaged compression, no permission, or no header where one is needed. What was read before the damage is used.",
    matters: "The time it covers may look quiet and was not. The exit code is 3.",
    misleads: "An object that is still being written looks damaged too; run again later.",
    example: "FL303 1 object not read to the end: logs/b.log.gz: unexpected end of gzip data.",
};

pub(super) const UNKNOWN_INTERFACE: Manual = Manual {
    says: "The logs speak of interfaces that no snapshot knows. Their records are attributed to no rule.",
    matters: "An interface that came and went between snapshots may have used any rule of its groups. Unused claims on groups it could have carried are weakened.",
    misleads: "Interfaces of other accounts or Regions in the same log bucket are listed as well and mean nothing for this snapshot.",
    example: "FL304 2 interfaces logged, but in no snapshot: eni-0a1b2c3d4e5f60718, eni-0fedcba9876543210. Next: take snapshots more often, or add AWS Config history.",
};

pub(super) const UNLOGGED_INTERFACE: Manual = Manual {
    says: "The snapshot has interfaces of which no log speaks, not even a NODATA row. A subnet that is dark as a whole is one finding, since one flow log mends it; else each interface is one.",
    matters: "What they needed is unknown. Rules of a group all of whose interfaces are unlogged are not judged at all, and the exit code is 3.",
    misleads: "An interface that was created after the newest record cannot be in the logs.",
    example: "FL305 3 interfaces in the snapshot, but never logged: eni-0a1b2c3d4e5f60718 and 2 more. Next: turn on flow logs for the VPC rather than for single subnets.",
};

pub(super) const SHORT_WINDOW: Manual = Manual {
    says: "The logs cover too few days for a strong claim.",
    matters: "Month-end, quarterly and yearly jobs lie outside. No rule is called a removal candidate on fewer than 90 days.",
    misleads: "It says nothing about used rules: one use is enough to know that.",
    example: "FL306 the logs cover 14 days; removal candidates need 90.",
};

pub(super) const REJECT_ONLY: Manual = Manual {
    says: "The logs hold REJECT records only, so the flow log was most likely created with that filter.",
    matters: "What passed cannot be seen: no rule is called unused, and nothing is proposed.",
    misleads: "A short window of a closed group may hold only REJECTs by chance.",
    example: "FL307 the logs hold REJECT records only. Next: create the flow log with traffic type ALL.",
};

pub(super) const ACCEPT_ONLY: Manual = Manual {
    says: "The logs hold ACCEPT records only, so the flow log was most likely created with that filter.",
    matters: "Rule usage and proposals are as good as ever; REJECTs cannot be explained, because none are there.",
    misleads: "A quiet private network may have no REJECTs at all.",
    example: "FL308 the logs hold ACCEPT records only. Next: create the flow log with traffic type ALL to see REJECTs.",
};

pub(super) const DROPPED_DAYS: Manual = Manual {
    says: "Days were deleted from a digest, as a rolling window does. The digest still knows the objects as read and will not read them again; what they said counts nowhere, and objects all of whose days are gone are not counted either.",
    matters: "The analysis is of the days that are left: no rule is called unused for longer than these, and a use on a dropped day is forgotten.",
    misleads: "The record that began just before midnight of the first day left is gone with the day before.",
    example: "FL311 30 days were dropped from the digests (2026-08-01 .. 2026-08-30), and 8,640 objects with them: they count nowhere.",
};

pub(super) const WIDENED_SPAN: Manual = Manual {
    says: "A digest keeps evidence by whole hours. The span given by --since and --until was widened to the hours that it touches, for digests and for logs read beside them.",
    matters: "Records of up to 59 minutes before and after the span asked for are part of the analysis.",
    misleads: "A length counted back from the newest record, as 30d, is nearly never whole hours, so this is usual.",
    example: "FL312 digests know whole hours, so the span was widened: 2026-10-01T07:00:00Z .. the end.",
};

pub(super) const FAR_TIMES: Manual = Manual {
    says: "More than a year lies between two rows of the logs without any row between them.",
    matters: "The logs then seem to span years of which nearly nothing was watched, so no rule is called unused and nothing is proposed. One damaged time in one row is enough.",
    misleads: "Logs of two years with a year missing between look the same.",
    example: "FL313 no row lies between 1970-01-01T00:00:00Z and 2026-10-01T07:00:00Z. Next: leave out what does not belong with --since or --until, given as times.",
};

pub(super) const COARSE_EVIDENCE: Manual = Manual {
    says: "More peers and ports were seen at some interfaces than fit in memory. Peers from outside were gathered by prefix there, and ports by range, only as far as no rule, ACL entry, list or subnet tells them apart; own addresses stay themselves. `ingest.coarsened` names the interfaces, what became coarse, and how far.",
    matters: "No verdict is lost by it: what becomes of one address of a prefix becomes of all. But whom exactly a rule let through is not known any more, so such a rule is kept as it is; where flags do not tell who opened a connection, both ways are kept; and REJECTs are told by prefix, without a count of addresses.",
    misleads: "Scans of millions of addresses are the usual cause, and REJECTs of scans lose little by it. How coarse it is depends on what was logged and on --memory alone, not on threads or order.",
    example: "FL314 peers or ports of 12 interfaces were too many for memory and are told by prefix or range: see `ingest.coarsened`. Next: give more memory, as with --memory 4G.",
};

pub(super) const FIELDS_OVERRULED: Manual = Manual {
    says: "Some objects begin with a header that names other columns than `--fields` does.",
    matters: "The header was followed, since it came with the records; `--fields` counts only where there is none.",
    misleads: "Other columns in another order may hold the same records: nothing is lost by it.",
    example: "FL309 12 objects name their columns otherwise than `--fields`. Next: leave `--fields` out for them.",
};
