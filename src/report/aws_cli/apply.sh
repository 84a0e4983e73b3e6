# How it runs. The steps above are data; nothing below depends on them.

export AWS_PAGER=''
journal=${FLOWCINCH_JOURNAL:-flowcinch-$id.journal}
at=0

usage() {
    cat <<END
usage: bash $0 [--dry-run | --apply | --rollback]
  (nothing)    say what would be done
  --dry-run    ask the API whether each step is allowed; change nothing
  --apply      do the steps, stop at the first failure; what was done stands in
               $journal, and running it again goes on from there
  --rollback   undo what the journal says was done, last step first; a step of
               which nobody knows whether it was done is named and left alone
Account and Region are those of your AWS CLI (AWS_PROFILE, AWS_REGION).
END
}

fail() {
    printf 'stopped: %s\n' "$1" >&2
    exit 1
}

state_of() {
    if [[ -f $journal ]]; then
        awk -v step="$1" '$2 == step { state = $1 } END { print state }' "$journal"
    fi
}

# A rule must still be what the analysis saw.
fields='GroupId,IsEgress,IpProtocol,CidrIpv4,CidrIpv6,PrefixListId,ReferencedGroupInfo.GroupId'
expect_rule() {
    local found ports=''
    if [[ $3 == ports ]]; then ports=',FromPort,ToPort'; fi
    found=$(aws ec2 describe-security-group-rules --security-group-rule-ids "$1" \
        --query "SecurityGroupRules[0].[$fields$ports]" --output text) ||
        fail "rule $1 cannot be read"
    [[ $found == "$2" ]] || fail "rule $1 is not what it was; analyse again (found: $found)"
}

# Undoes an addition: by the id that the cloud gave, or by what the rule says.
take_back() {
    local made
    made=$(made_by "$at")
    if [[ -n $made ]]; then
        aws ec2 "revoke-security-group-$2" --group-id "$1" --security-group-rule-ids "$made"
    else
        aws ec2 "revoke-security-group-$2" --group-id "$1" --ip-permissions "$3"
    fi
}

made_by() {
    awk -v step="$1" '$2 == step { made = $3 } END { print made }' "$journal"
}

on_exit() {
    local status=$?
    if [[ $status -ne 0 && $at -gt 0 ]]; then
        printf 'step %s of %s failed; what was done before it stands\n' "$at" "$total" >&2
        printf '%s: bash %s --rollback\n' "$1" "$0" >&2
    fi
    exit "$status"
}

plan() {
    local step
    for ((step = 1; step <= total; step++)); do
        printf '%3d  %s\n' "$step" "$(text "$step")"
    done
}

dry_run() {
    local step answer
    for ((step = 1; step <= total; step++)); do
        "check_$step"
        if answer=$("do_$step" --dry-run 2>&1) || [[ $answer == *DryRunOperation* ]]; then
            printf 'would do %s of %s: %s\n' "$step" "$total" "$(text "$step")"
        else
            fail "step $step would fail: $answer"
        fi
    done
}

apply() {
    local step made was
    # All rules that are still to change are as they were, or nothing is begun.
    for ((step = 1; step <= total; step++)); do
        case $(state_of "$step") in
        done | begun) ;;
        *) "check_$step" ;;
        esac
    done
    : >>"$journal"
    trap 'on_exit "the way back"' EXIT
    for ((step = 1; step <= total; step++)); do
        was=$(state_of "$step")
        if [[ $was == done ]]; then continue; fi
        at=$step
        "check_$step"
        # Known before it is done: a call whose answer is lost may have been heard,
        # and where the journal cannot be written nothing may be done.
        printf 'begun %s\n' "$step" >>"$journal"
        made=$("do_$step" --query 'SecurityGroupRules[0].SecurityGroupRuleId' --output text) ||
            refused "$?"
        if [[ $made != sgr-* ]]; then made=''; fi
        printf 'done %s %s\n' "$step" "$made" >>"$journal"
        printf 'did %s of %s: %s\n' "$step" "$total" "$(text "$step")"
    done
    at=0
    printf 'all done; the way back: bash %s --rollback\n' "$0"
}

# The AWS CLI ends with 254 where the service said no, with 252 or 253 where it
# asked nothing, and the shell with 127 where there is none: then the step was not
# done, unless an earlier try of it, whose answer was lost, had done it.
refused() {
    case $1 in
    127 | 252 | 253 | 254)
        if [[ $was != begun ]]; then
            printf 'refused %s\n' "$at" >>"$journal"
            exit "$1"
        fi
        ;;
    esac
    unsure "$at"
    exit "$1"
}

unsure() {
    printf 'whether step %s was done is not known: %s\n' "$1" "$(text "$1")" >&2
    printf 'look at the group, then write a line into %s: "done %s" if it was, "refused %s" if not\n' \
        "$journal" "$1" "$1" >&2
}

rollback() {
    local step state unsure=0
    if [[ ! -e $journal ]]; then
        fail "no journal $journal here, so what was done is not known: run it where --apply was run"
    fi
    trap 'on_exit "go on"' EXIT
    for ((step = total; step >= 1; step--)); do
        state=$(state_of "$step")
        if [[ $state == begun ]]; then
            unsure "$step"
            unsure=1
        fi
        if [[ $state != done ]]; then continue; fi
        at=$step
        "undo_$step" >/dev/null
        printf 'undone %s\n' "$step" >>"$journal"
        printf 'undid %s of %s: %s\n' "$step" "$total" "$(text "$step")"
    done
    at=0
    if [[ $unsure -ne 0 ]]; then fail 'all else that the journal names is undone'; fi
    printf 'all that the journal names is undone\n'
}

case ${1:-} in
'') plan && usage ;;
--dry-run) dry_run ;;
--apply) apply ;;
--rollback) rollback ;;
*) usage >&2 && exit 2 ;;
esac
