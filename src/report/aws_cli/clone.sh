# How it runs. The copies above are data; nothing below depends on them.

export AWS_PAGER=''
journal=${FLOWCINCH_JOURNAL:-flowcinch-copies-$id.journal}

usage() {
    cat <<END
usage: bash $0 --create | --attach ENI | --detach ENI | --delete
  --create      make the copies, with the rules as proposed; nothing uses them yet
  --attach ENI  on this interface, let the copies take the place of the groups
  --detach ENI  give the interface back the groups that it had
  --delete      delete the copies and what was added for them
Try one interface for as long as its slowest job takes, watch its flow log for
REJECT, then detach, delete, and run the change itself.
What was done stands in $journal. Account and Region are those of your AWS CLI.
END
}

fail() {
    printf 'stopped: %s\n' "$1" >&2
    exit 1
}

# Last value that the journal has for a key.
recall() {
    if [[ -f $journal ]]; then
        awk -v kind="$1" -v key="$2" '$1 == kind && $2 == key { $1 = $2 = ""; value = $0 }
            END { sub(/^ +/, "", value); print value }' "$journal"
    fi
}

note() { printf '%s\n' "$*" >>"$journal"; }

# make_copy GROUP NAME VPC INGRESS EGRESS
make_copy() {
    local copy open
    copy=$(recall copy "$1")
    if [[ -n $copy ]]; then
        [[ -n $(recall filled "$1") ]] || fail "$copy is half made: --delete it and begin again"
        return
    fi
    # Where the journal cannot be written nothing may be made.
    note begun "$1"
    copy=$(aws ec2 create-security-group --group-name "$2" --vpc-id "$3" \
        --description "staging copy of $1 by flowcinch" --query GroupId --output text)
    note copy "$1" "$copy"
    # Each new group lets everything out, by IPv6 too where the VPC speaks it; the
    # copy must let out what is proposed.
    open=$(aws ec2 describe-security-group-rules --filters "Name=group-id,Values=$copy" \
        --query 'SecurityGroupRules[?IsEgress].SecurityGroupRuleId' --output text)
    if [[ -n $open ]]; then
        # One word a rule.
        # shellcheck disable=SC2086
        aws ec2 revoke-security-group-egress --group-id "$copy" \
            --security-group-rule-ids $open >/dev/null
    fi
    if [[ $4 != '[]' ]]; then
        aws ec2 authorize-security-group-ingress --group-id "$copy" --ip-permissions "$4" >/dev/null
    fi
    if [[ $5 != '[]' ]]; then
        aws ec2 authorize-security-group-egress --group-id "$copy" --ip-permissions "$5" >/dev/null
    fi
    note filled "$1" "$copy"
    printf 'made %s, a copy of %s\n' "$copy" "$1"
}

# add_twin NUMBER production|copy OWNER DIRECTION PEER PERMISSION: what names a
# group must name its copy too, or interfaces that carry the copy are cut off.
add_twin() {
    local owner=$3 copy permission
    if [[ -n $(recall twin "$1") ]]; then return; fi
    if [[ $2 == copy ]]; then owner=$(recall copy "$3"); fi
    copy=$(recall copy "$5")
    permission=${6//@COPY@/$copy}
    aws ec2 "authorize-security-group-$4" --group-id "$owner" --ip-permissions "$permission" >/dev/null
    note twin "$1" "$owner $4"
    printf 'let %s name the copy of %s\n' "$owner" "$5"
}

drop_twin() {
    local owner=$3 copy permission
    if [[ -z $(recall twin "$1") ]]; then return; fi
    if [[ $2 == copy ]]; then owner=$(recall copy "$3"); fi
    copy=$(recall copy "$5")
    permission=${6//@COPY@/$copy}
    aws ec2 "revoke-security-group-$4" --group-id "$owner" --ip-permissions "$permission" >/dev/null
    note twin "$1" ''
}

groups_of() {
    aws ec2 describe-network-interfaces --network-interface-ids "$1" \
        --query 'NetworkInterfaces[0].Groups[].GroupId' --output text
}

attach() {
    local group copy swapped=() before
    [[ -n $(recall ready all) ]] || fail 'the copies are not made: --create them first'
    [[ -z $(recall attached "$1") ]] || fail "$1 carries copies already"
    before=$(groups_of "$1")
    for group in $before; do
        copy=$(recall copy "$group")
        swapped+=("${copy:-$group}")
    done
    [[ "${swapped[*]}" != "$(echo $before)" ]] || fail "$1 carries none of the groups that have a copy"
    note attached "$1" "$(echo $before)"
    aws ec2 modify-network-interface-attribute --network-interface-id "$1" --groups "${swapped[@]}"
    printf '%s now carries %s\nthe way back: bash %s --detach %s\n' "$1" "${swapped[*]}" "$0" "$1"
}

detach() {
    local before
    before=$(recall attached "$1")
    [[ -n $before ]] || fail "$1 carries no copies"
    # One word a group.
    # shellcheck disable=SC2086
    aws ec2 modify-network-interface-attribute --network-interface-id "$1" --groups $before
    note attached "$1" ''
    printf '%s carries %s again\n' "$1" "$before"
}

delete() {
    local group copy
    if [[ -f $journal ]]; then
        for group in $(awk '$1 == "attached" { print $2 }' "$journal" | sort -u); do
            [[ -z $(recall attached "$group") ]] || fail "$group still carries copies: --detach it first"
        done
    fi
    note ready all ''
    twins drop_twin
    for group in "${groups[@]}"; do
        copy=$(recall copy "$group")
        if [[ -z $copy ]]; then continue; fi
        aws ec2 delete-security-group --group-id "$copy" >/dev/null
        note copy "$group" ''
        note filled "$group" ''
        printf 'deleted %s, the copy of %s\n' "$copy" "$group"
    done
}

case ${1:-} in
--create)
    # Not joined by `&&`, behind which bash would no longer stop at a failure.
    copies
    twins add_twin
    note ready all yes
    ;;
--attach) attach "${2:?which interface}" ;;
--detach) detach "${2:?which interface}" ;;
--delete) delete ;;
*) usage ;;
esac
