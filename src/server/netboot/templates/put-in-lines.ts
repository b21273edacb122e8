import { fillIn, type ParsedTemplate, type ValuePlace } from './parse-template.ts';
import { type Problem, problemAt } from './template-problem.ts';

/** How the lines of a file are read. */
export type LineSyntax = 'preseed' | 'kickstart' | 'script';

/** Means the same to a shell, whether it stands in quotes or not. */
const plainWord = /^[\w@%+=:,./-]+$/;
const control = /[\p{Cc}\u2028\u2029]/u;

/**
 * The template with its values, in a file of lines. What a shell runs takes only values that no shell would take apart
 * or obey, or those that `shell` has quoted; what an installer splits into words takes no blanks and quotes; and nothing
 * takes a new line.
 */
export function putInLines(
  syntax: LineSyntax,
  template: ParsedTemplate,
  values: readonly string[],
  onProblem: (problem: Problem) => void,
): string {
  // Places are seen in the file as it is, without what has been put in.
  let before = '';
  const escaped = template.places.map((place, index) => {
    before += template.texts[index]!;
    const value = values[index]!;
    const problem = problemOf(place, value, readerOf(syntax, before), quoteOpenIn(before));
    if (problem !== undefined) onProblem(problemAt(place.line, problem));
    before += 'x';
    return place.filter === 'shell' ? shellQuoted(value) : value;
  });
  return fillIn(template, escaped);
}

type LineReader = 'shell' | 'words' | 'text';

function problemOf(
  { name, filter }: ValuePlace,
  value: string,
  reader: LineReader,
  quote: string | undefined,
): string | undefined {
  if (control.test(value)) return `the value of ${name} has more than one line, which cannot stand here; use | base64`;
  if (filter === 'shell') {
    if (reader !== 'text' && quote === undefined) return undefined;
    return reader === 'text'
      ? `no shell reads ${name} here; leave | shell out`
      : `${name} | shell is in quotes; it brings its own`;
  }
  if (reader === 'text')
    return value.endsWith('\\') ? `the value of ${name} ends with \\, which joins lines` : undefined;
  if (plainWord.test(value) || (reader === 'words' && /^[^\s"'\\#]+$/.test(value))) return undefined;
  return `the value of ${name} has characters that mean something to a shell; write {{ ${name} | shell }}`;
}

/** Who reads the line that `before` ends with. */
function readerOf(syntax: LineSyntax, before: string): LineReader {
  if (syntax === 'script') return 'shell';
  if (syntax === 'kickstart') return isInSection(before) ? 'shell' : 'words';
  // late_command and the like are run; of other answers the rest of the line is the value.
  const [line] = /(?:.*\\\n)*.*$/.exec(before)!;
  return /^\s*\S+\s+\S*_command\s/.test(line) ? 'shell' : 'text';
}

function isInSection(before: string): boolean {
  const marks = [...before.matchAll(/^%(\w+)/gm)].filter(([, word]) => word !== 'include' && word !== 'ksappend');
  return marks.length > 0 && marks.at(-1)![1] !== 'end';
}

/** The quote that is open at the end, as a shell reads the last line; quotes over several lines are not seen. */
function quoteOpenIn(before: string): string | undefined {
  let open: string | undefined;
  for (const [mark] of before.slice(before.lastIndexOf('\n') + 1).matchAll(/\\.|["']/g)) {
    if (mark.length > 1) continue;
    if (open === undefined) open = mark;
    else if (open === mark) open = undefined;
  }
  return open;
}

/** A text as one word of a shell. */
export function shellQuoted(text: string): string {
  return plainWord.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
