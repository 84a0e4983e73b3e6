# How it runs. The steps above are data; nothing below depends on them.

journal=${FLOWCINCH_JOURNAL:-flowcinch-$id.journal}
at=0

usage() {
    cat <<END
usage: bash $0 [--dry-run | --apply | --rollback]
  (nothing)    say what would be done
  --dry-run    ask the API whether every rule is still as the analysis saw it;
               change nothing
  --apply      do the steps, stop at the first failure; what was done stands in
               $journal, and running it again goes on from there
  --rollback   undo what the journal says was done, last step first; a rule that
               is given again gets another id
Needs the aliyun command and python3. Account and region are those of your
aliyun profile (aliyun configure).
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

note_of() {
    awk -v step="$1" '$2 == step { note = $3 } END { print note }' "$journal"
}

# Nothing may be done that cannot be noted.
note() {
    printf '%s\n' "$*" >>"$journal" || fail "$journal cannot be written"
}

# All rules of a group and direction, page by page.
rules_of() {
    local token='' page
    while true; do
        page=$(aliyun ecs DescribeSecurityGroupAttribute --SecurityGroupId "$1" \
            --Direction "$2" ${token:+--NextToken "$token"}) ||
            fail "group $1 cannot be read"
        page=$(python3 -c "$reader" <<<"$page") ||
            fail "what is said of group $1 cannot be understood"
        printf '%s\n' "$page" | awk -F '\t' '$1 != "next"'
        token=$(printf '%s\n' "$page" | awk -F '\t' '$1 == "next" { print $2 }')
        if [[ -z $token ]]; then return; fi
    done
}

# The id of the rule that says this; nothing where none does.
find_rule() {
    local rules
    rules=$(rules_of "$1" "$2") || exit 1
    printf '%s\n' "$rules" | want=$3 awk -F '\t' '
        { says = $0; sub(/^[^\t]*\t/, "", says) }
        says == ENVIRON["want"] && !found++ { print $1 }'
}

# The intra-group policy of a group, in small letters.
policy_of() {
    local page
    page=$(aliyun ecs DescribeSecurityGroupAttribute --SecurityGroupId "$1" \
        --Direction ingress) || fail "group $1 cannot be read"
    python3 -c 'import json, sys; print(json.load(sys.stdin)["InnerAccessPolicy"].lower())' \
        <<<"$page" || fail "what is said of group $1 cannot be understood"
}

# The same, once the service has caught up with a change: there, or not there.
settled() {
    local try found=''
    for try in 1 2 3 4 5; do
        found=$(find_rule "$2" "$3" "$4") || exit 1
        if [[ $1 == there && -n $found || $1 == gone && -z $found ]]; then break; fi
        sleep "${FLOWCINCH_PAUSE:-$try}"
    done
    printf '%s\n' "$found"
}

give() {
    "$@" >/dev/null || exit 1
}

take() {
    local call=RevokeSecurityGroup
    if [[ $2 == egress ]]; then call=RevokeSecurityGroupEgress; fi
    give aliyun ecs "$call" --SecurityGroupId "$1" --SecurityGroupRuleId.1 "$3"
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

# Whether a step that is not begun can still be made: kind, group, direction,
# id, what the rule says.
check() {
    local found
    if [[ $1 == isolate ]]; then
        found=$(policy_of "$2") || exit 1
        if [[ $found != accept && $found != drop ]]; then
            fail "the intra-group policy of $2 is neither Accept nor Drop: $found"
        fi
    fi
    if [[ $1 != remove ]]; then return; fi
    found=$(find_rule "$2" "$3" "$5") || exit 1
    if [[ -z $found || -n $4 && $found != "$4" ]]; then
        fail "rule ${4:-of step $at} of $2 is not what it was; analyse again"
    fi
}

# One step, and what stands of it in the journal: what is begun is looked for
# when it is taken up again, since a call whose answer was lost may have been heard.
act() {
    local was=$1 kind=$2 group=$3 direction=$4 id=$5 says=$6 found
    shift 6
    if [[ $kind == isolate ]]; then
        isolate "$was" "$group" "$@"
        return
    fi
    found=$(find_rule "$group" "$direction" "$says") || exit 1
    case $kind in
    add)
        if [[ -n $found && $was != begun ]]; then
            note done "$at" there
        elif [[ -n $found ]]; then
            note done "$at" "$found"
        else
            note begun "$at"
            give "$@"
            found=$(settled there "$group" "$direction" "$says") || exit 1
            if [[ -z $found ]]; then
                fail "the call was taken, and no such rule is there: does one differ in its priority alone?"
            fi
            note done "$at" "$found"
        fi
        ;;
    remove)
        if [[ -n $found || $was != begun ]]; then
            check "$kind" "$group" "$direction" "$id" "$says"
            note begun "$at"
            take "$group" "$direction" "$found"
            found=$(settled gone "$group" "$direction" "$says") || exit 1
            if [[ -n $found ]]; then fail "rule $found of $group is still there"; fi
        fi
        note done "$at"
        ;;
    esac
}

# Waits until the service has caught up with a change of policy.
policy_is() {
    local try found=''
    for try in 1 2 3 4 5; do
        found=$(policy_of "$2") || exit 1
        if [[ $found == "$1" ]]; then return; fi
        sleep "${FLOWCINCH_PAUSE:-$try}"
    done
    fail "the intra-group policy of $2 is still $found"
}

# Members reach each other no more by the policy of their group.
isolate() {
    local was=$1 group=$2 found
    shift 2
    found=$(policy_of "$group") || exit 1
    if [[ $found == drop && $was != begun ]]; then
        note done "$at" there
        return
    fi
    note begun "$at"
    give "$@" --InnerAccessPolicy Drop
    policy_is drop "$group"
    note done "$at"
}

undo() {
    local was=$1 kind=$2 group=$3 direction=$4 says=$6 found
    shift 6
    if [[ $kind != remove && $(note_of "$at") == there ]]; then return; fi
    if [[ $kind == isolate ]]; then
        give "$@" --InnerAccessPolicy Accept
        policy_is accept "$group"
        return
    fi
    found=$(find_rule "$group" "$direction" "$says") || exit 1
    case $kind in
    add) if [[ -n $found ]]; then take "$group" "$direction" "$found"; fi ;;
    remove)
        if [[ -z $found ]]; then
            give "$@"
            found=$(settled there "$group" "$direction" "$says") || exit 1
            if [[ -z $found ]]; then fail "the call was taken, and no such rule is there"; fi
        fi
        ;;
    esac
}

dry_run() {
    local step
    for ((step = 1; step <= total; step++)); do
        at=$step
        "step_$step" check
        printf 'would do %s of %s: %s\n' "$step" "$total" "$(text "$step")"
    done
}

apply() {
    local step
    # All rules that are still to go are as they were, or nothing is begun.
    for ((step = 1; step <= total; step++)); do
        case $(state_of "$step") in
        done | begun) ;;
        *) at=$step && "step_$step" check ;;
        esac
    done
    at=0
    : >>"$journal"
    trap 'on_exit "the way back"' EXIT
    for ((step = 1; step <= total; step++)); do
        state=$(state_of "$step")
        if [[ $state == done ]]; then continue; fi
        at=$step
        "step_$step" act "$state"
        printf 'did %s of %s: %s\n' "$step" "$total" "$(text "$step")"
    done
    at=0
    printf 'all done; the way back: bash %s --rollback\n' "$0"
}

rollback() {
    local step state
    if [[ ! -e $journal ]]; then
        fail "no journal $journal here, so what was done is not known: run it where --apply was run"
    fi
    trap 'on_exit "go on"' EXIT
    for ((step = total; step >= 1; step--)); do
        state=$(state_of "$step")
        if [[ $state != done && $state != begun ]]; then continue; fi
        at=$step
        "step_$step" undo "$state"
        note undone "$step"
        printf 'undid %s of %s: %s\n' "$step" "$total" "$(text "$step")"
    done
    at=0
    printf 'all that the journal names is undone\n'
}

case ${1:-} in
'') plan && usage ;;
--dry-run) dry_run ;;
--apply) apply ;;
--rollback) rollback ;;
*) usage >&2 && exit 2 ;;
esac
