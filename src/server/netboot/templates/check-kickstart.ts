import { type Problem, problemAt } from './template-problem.ts';

/** Those that end with %end. Source: Kickstart syntax reference, Fedora 41. */
const sections = new Set([
  ...['packages', 'pre', 'pre-install', 'post', 'onerror', 'traceback', 'addon', 'anaconda', 'certificate'],
]);
/** Lines of one line, that may stand outside of sections; `%include` inside, too. */
const single = new Set(['include', 'ksappend']);

/** Looks whether each section of a kickstart file is known, and ends. */
export function checkKickstart(text: string, onProblem: (problem: Problem) => void): void {
  let open: { readonly name: string; readonly line: number } | undefined;
  for (const [index, each] of text.split('\n').entries()) {
    const line = index + 1;
    const [, name] = /^%([\w-]+)/.exec(each) ?? [];
    if (name === undefined || single.has(name)) continue;
    if (name === 'end') {
      if (open === undefined) onProblem(problemAt(line, 'this %end ends no section'));
      open = undefined;
      continue;
    }
    if (!sections.has(name)) {
      // A script may have such a line.
      if (open === undefined) onProblem(problemAt(line, `there is no section %${name}`));
      continue;
    }
    if (open !== undefined) onProblem(problemAt(open.line, `%${open.name} has no %end before %${name} begins`));
    open = { name, line };
  }
  if (open !== undefined) onProblem(problemAt(open.line, `%${open.name} has no %end`));
  if (text.trim() === '') onProblem(problemAt(undefined, 'it is empty'));
}
