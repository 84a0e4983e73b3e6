# What is AWS's own of how it runs. The steps above are data; nothing below
# depends on them.

export AWS_PAGER=''

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
    made=$(note_of "$at")
    if [[ -n $made ]]; then
        aws ec2 "revoke-security-group-$2" --group-id "$1" --security-group-rule-ids "$made"
    else
        aws ec2 "revoke-security-group-$2" --group-id "$1" --ip-permissions "$3"
    fi
}

check() {
    "check_$1"
}

make() {
    local made
    check "$1"
    # Known before it is done: a call whose answer is lost may have been heard.
    note begun "$1"
    made=$("do_$1" --query 'SecurityGroupRules[0].SecurityGroupRuleId' --output text) ||
        refused "$?"
    if [[ $made != sgr-* ]]; then made=''; fi
    note done "$1" "$made"
}

unmake() {
    "undo_$1" >/dev/null
}

# Of a step whose answer was lost nobody knows.
knows() {
    if [[ $2 == begun ]]; then
        unsure "$1"
        return 1
    fi
}

# The AWS CLI ends with 254 where the service said no, with 252 or 253 where it
# asked nothing, and the shell with 127 where there is none: then the step was not
# done, unless an earlier try of it, whose answer was lost, had done it.
refused() {
    case $1 in
    127 | 252 | 253 | 254)
        if [[ $was != begun ]]; then
            note refused "$at"
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

dry_run() {
    local step answer
    for ((step = 1; step <= total; step++)); do
        check "$step"
        if answer=$("do_$step" --dry-run 2>&1) || [[ $answer == *DryRunOperation* ]]; then
            printf 'would do %s of %s: %s\n' "$step" "$total" "$(text "$step")"
        else
            fail "step $step would fail: $answer"
        fi
    done
}

