# Completion of mip4ctl for bash: words of the grammar, and live addresses and NAIs of the store.
# Install as /usr/share/bash-completion/completions/mip4ctl

_mip4ctl() {
    local IFS=$'\n'
    # The line as it is typed: bash splits words at colons, mip4ctl does not.
    COMPREPLY=($(mip4ctl complete -- "${COMP_LINE:0:COMP_POINT}" 2>/dev/null))
    if declare -F __ltrim_colon_completions >/dev/null; then
        __ltrim_colon_completions "${COMP_WORDS[COMP_CWORD]}"
    fi
}

complete -F _mip4ctl mip4ctl
