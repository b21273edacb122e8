import { type Problem, problemAt } from './template-problem.ts';

/** What debconf has for types of questions, and its one flag. Source: debconf-set-selections(1), debconf-devel(7). */
const types = new Set(['select', 'boolean', 'string', 'multiselect', 'note', 'password', 'text', 'title', 'seen']);

/** Looks whether each line of a preseed file has an owner, a question and a type. */
export function checkPreseed(text: string, onProblem: (problem: Problem) => void): void {
  const lines = text.split('\n').map((line) => line.replace(/\r$/, ''));
  for (let index = 0; index < lines.length; index += 1) {
    const line = index + 1;
    let whole = lines[index]!;
    while (whole.endsWith('\\') && index + 1 < lines.length) whole = whole.slice(0, -1) + lines[++index]!;
    if (/^\s*(#|$)/.test(whole)) continue;
    const [owner, question, type, value] = /^(\S+)\s+(\S+)\s+(\S+)(?:\s+(.*))?/.exec(whole.trim())?.slice(1) ?? [];
    if (owner === undefined) {
      onProblem(problemAt(line, 'a line has to have an owner, a question, a type and a value'));
    } else if (!types.has(type!)) {
      onProblem(problemAt(line, `${question} has a type that debconf does not know: ${[...types].join(', ')}`));
    } else if (type === 'boolean' && value !== undefined && !/^(true|false)?\s*$/.test(value)) {
      onProblem(problemAt(line, `${question} is boolean, so its value has to be true or false`));
    }
  }
}
