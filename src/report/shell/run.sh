# How it runs: each script has `usage`, `check` (whether a step that is not begun
# can still be made), `make`, `unmake`, `knows` (whether it can tell what became of
# a step) and `dry_run` of its own, and the same order, stops and journal.

journal=${FLOWCINCH_JOURNAL:-flowcinch-$id.journal}
at=0

fail() {
    printf 'stopped: %s\n' "$1" >&2
    exit 1
}

state_of() {
    if [[ -f $journal ]]; then
        awk -v step="$1" '$2 == step { state = $1 } END { print state }' "$journal"
    fi
}

# What the journal has beside the state of a step.
note_of() {
    awk -v step="$1" '$2 == step { note = $3 } END { print note }' "$journal"
}

# Nothing may be done that cannot be noted.
note() {
    printf '%s\n' "$*" >>"$journal" || fail "$journal cannot be written"
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

apply() {
    local step was
    # All rules that are still to change are as they were, or nothing is begun.
    for ((step = 1; step <= total; step++)); do
        case $(state_of "$step") in
        done | begun) ;;
        *) at=$step && check "$step" ;;
        esac
    done
    at=0
    : >>"$journal"
    trap 'on_exit "the way back"' EXIT
    for ((step = 1; step <= total; step++)); do
        was=$(state_of "$step")
        if [[ $was == done ]]; then continue; fi
        at=$step
        make "$step" "$was"
        printf 'did %s of %s: %s\n' "$step" "$total" "$(text "$step")"
    done
    at=0
    printf 'all done; the way back: bash %s --rollback\n' "$0"
}

rollback() {
    local step was unsure=0
    if [[ ! -e $journal ]]; then
        fail "no journal $journal here, so what was done is not known: run it where --apply was run"
    fi
    trap 'on_exit "go on"' EXIT
    for ((step = total; step >= 1; step--)); do
        was=$(state_of "$step")
        if [[ $was != done && $was != begun ]]; then continue; fi
        if ! knows "$step" "$was"; then
            unsure=1
            continue
        fi
        at=$step
        unmake "$step" "$was"
        note undone "$step"
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
