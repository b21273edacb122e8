// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are expansions of the shell

/**
 * The completion of varve for bash, 3.2 or newer, with nothing else installed. Readline cuts words at `@`, `=` and `:`,
 * so they are put together again before varve is asked, and what stands before the cut is taken off its answers (an `@`
 * belongs to the word behind it, as in host names).
 * What was typed is never evaluated.
 */
export const bashScript = [
  '# bash completion for varve: eval "$(varve completion bash)"',
  '_varve_completion() {',
  '  local line=${COMP_LINE:0:COMP_POINT} words=() count=0 index word blank current reply head= cut value description',
  '  line=${line#*"${COMP_WORDS[0]}"}',
  '  for ((index = 1; index <= COMP_CWORD; index += 1)); do',
  '    blank=${line%%[![:space:]]*}',
  '    line=${line#"$blank"}',
  '    word=${COMP_WORDS[index]}',
  '    ((index < COMP_CWORD)) || word=$line',
  '    if [[ -n $blank || $count -eq 0 ]]; then words[count++]=$word; else words[count - 1]+=$word; fi',
  '    line=${line#"$word"}',
  '  done',
  '  current=${words[count - 1]}',
  '  reply=$("${COMP_WORDS[0]/#~//$HOME/}" complete -- "${words[@]}" 2>/dev/null) || return',
  '  for cut in @ = :; do',
  '    [[ $COMP_WORDBREAKS == *"$cut"* && $current == *"$cut"* ]] || continue',
  '    value=${current%"${current##*"$cut"}"}',
  '    [[ $cut != @ ]] || value=${value%@}',
  '    ((${#value} <= ${#head})) || head=$value',
  '  done',
  '  COMPREPLY=()',
  "  while IFS=$'\\t' read -r value description; do",
  '    [[ $value == :* ]] || COMPREPLY+=("${value#"$head"}")',
  '  done <<<"$reply"',
  '  if ((${reply##*:} & 4)); then compopt +o default 2>/dev/null; fi',
  '}',
  'complete -o default -F _varve_completion varve',
].join('\n');
