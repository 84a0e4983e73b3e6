# What is Alibaba Cloud's own of how it runs. The steps above are data; nothing
# below depends on them.

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

# What a question is answered with once the service has caught up with a change:
# something (there), nothing (gone), or the word.
settled() {
    local want=$1 try found=''
    shift
    for try in 1 2 3 4 5; do
        found=$("$@") || exit 1
        case $want in
        there) if [[ -n $found ]]; then break; fi ;;
        gone) if [[ -z $found ]]; then break; fi ;;
        *) if [[ $found == "$want" ]]; then break; fi ;;
        esac
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

# Whether a step that is not begun can still be made: kind, group, direction,
# id, what the rule says.
still() {
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
            found=$(settled there find_rule "$group" "$direction" "$says") || exit 1
            if [[ -z $found ]]; then
                fail "the call was taken, and no such rule is there: does one differ in its priority alone?"
            fi
            note done "$at" "$found"
        fi
        ;;
    remove)
        if [[ -n $found || $was != begun ]]; then
            still "$kind" "$group" "$direction" "$id" "$says"
            note begun "$at"
            take "$group" "$direction" "$found"
            found=$(settled gone find_rule "$group" "$direction" "$says") || exit 1
            if [[ -n $found ]]; then fail "rule $found of $group is still there"; fi
        fi
        note done "$at"
        ;;
    esac
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
    found=$(settled drop policy_of "$group") || exit 1
    if [[ $found != drop ]]; then fail "the intra-group policy of $group is still $found"; fi
    note done "$at"
}

undo() {
    local was=$1 kind=$2 group=$3 direction=$4 says=$6 found
    shift 6
    if [[ $kind != remove && $(note_of "$at") == there ]]; then return; fi
    if [[ $kind == isolate ]]; then
        give "$@" --InnerAccessPolicy Accept
        found=$(settled accept policy_of "$group") || exit 1
        if [[ $found != accept ]]; then fail "the intra-group policy of $group is still $found"; fi
        return
    fi
    found=$(find_rule "$group" "$direction" "$says") || exit 1
    case $kind in
    add) if [[ -n $found ]]; then take "$group" "$direction" "$found"; fi ;;
    remove)
        if [[ -z $found ]]; then
            give "$@"
            found=$(settled there find_rule "$group" "$direction" "$says") || exit 1
            if [[ -z $found ]]; then fail "the call was taken, and no such rule is there"; fi
        fi
        ;;
    esac
}

check() {
    "step_$1" still
}

make() {
    "step_$1" act "$2"
}

unmake() {
    "step_$1" undo "$2"
}

# What is begun is looked for, so nothing stays unknown.
knows() {
    true
}

dry_run() {
    local step
    for ((step = 1; step <= total; step++)); do
        at=$step
        check "$step"
        printf 'would do %s of %s: %s\n' "$step" "$total" "$(text "$step")"
    done
}
