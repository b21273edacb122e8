import { fillIn, type ParsedTemplate } from './parse-template.ts';
import { type Problem, problemAt } from './template-problem.ts';

/** The template with its values, in JSON: escaped in strings; elsewhere only numbers, `true` and `false`. */
export function putInJson(
  template: ParsedTemplate,
  values: readonly string[],
  onProblem: (problem: Problem) => void,
): string {
  let isInString = false;
  const escaped = template.places.map(({ name, filter, line }, index) => {
    isInString = endsInString(template.texts[index]!, isInString);
    const value = values[index]!;
    if (isInString) return JSON.stringify(value).slice(1, -1);
    if (isLiteral(value)) return value;
    const what = filter === 'literal' ? 'is no number, true or false' : 'stands outside of a string; put it in quotes';
    onProblem(problemAt(line, `the value of ${name} ${what}`));
    return '0';
  });
  return fillIn(template, escaped);
}

/** Whether a value means the same in JSON and YAML without quotes, and is no text. */
export function isLiteral(value: string): boolean {
  return /^(true|false|-?(0|[1-9]\d{0,15})(\.\d{1,15})?)$/.test(value);
}

function endsInString(text: string, isInString: boolean): boolean {
  let isInside = isInString;
  for (const [mark] of text.matchAll(/\\[\s\S]|"/g)) if (mark === '"') isInside = !isInside;
  return isInside;
}
