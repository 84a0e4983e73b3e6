//! Pages about how groups stand, whether anything was seen of them or not.

use crate::report::explain::Manual;

pub(super) const DEFAULT_GROUP: Manual = Manual {
    says: "The default group of a VPC has rules, or interfaces carry it. It is given to whatever is started without a group of its own.",
    matters: "What is started carelessly lands in it, and its members usually reach each other. An empty default group makes the slip harmless.",
    misleads: "Told by its name, `default`, which AWS reserves for it.",
    example: "SG110 sg-0123456789abcdef0 default: 2 rules, carried by 1 interface. Next: give its interfaces groups of their own, then remove its rules.",
};

pub(super) const UNUSED_GROUP: Manual = Manual {
    says: "No interface of the newest snapshot carries the group and no rule of another group names it.",
    matters: "Unused groups are taken up again by accident, with rules that nobody remembers.",
    misleads: "Launch templates, functions, autoscaling groups at zero and groups of other accounts may still name it. The snapshot is one moment.",
    example: "SG111 sg-0123456789abcdef0 old-web: on no interface, named by no rule. Next: look for it in launch templates, then delete it.",
};

pub(super) const EGRESS: Manual = Manual {
    says: "A rule lets every protocol out to every address, as AWS gives it to each new group.",
    matters: "A stolen host may call home and carry data away. Many standards ask for outbound traffic to be limited to what is needed.",
    misleads: "Hosts that fetch from the open internet need wide rules; a proxy or firewall behind them may be where the limit is kept. Traffic to the VPC's resolver needs no rule.",
    example: "SG112 sgr-0a1b2c3d4e5f60718 egress all to 0.0.0.0/0: 3 destinations seen. Next: take the egress proposal of the group.",
};
