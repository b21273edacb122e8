import { isSeq, LineCounter, parseDocument } from 'yaml';
import { type Problem, problemAt } from './template-problem.ts';

/** Looks at a configuration of Ignition. No message quotes it. Source: its specification, versions 2 and 3. */
export function checkIgnition(text: string, onProblem: (problem: Problem) => void): void {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (error) {
    onProblem(problemAt(jsonErrorLine(text, error), 'this is no JSON that can be read'));
    return;
  }
  if (!isMap(data) || !isMap(data.ignition)) {
    onProblem(problemAt(undefined, 'it has no "ignition": {"version": …}'));
    return;
  }
  const { version } = data.ignition;
  const isKnown = typeof version === 'string' && /^[23]\.\d{1,3}\.\d{1,3}(-experimental)?$/.test(version);
  if (!isKnown) onProblem(problemAt(undefined, 'ignition.version has to be a text like "3.4.0", of version 2 or 3'));
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

/** Node says where only of some errors; then a reader of YAML, of which JSON is a part, tells. */
function jsonErrorLine(text: string, error: unknown): number | undefined {
  const [, position] = /at position (\d+)/.exec(error instanceof Error ? error.message : '') ?? [];
  if (position !== undefined) return text.slice(0, Number(position)).split('\n').length;
  const lineCounter = new LineCounter();
  const { contents, errors } = parseDocument(text, { prettyErrors: false, lineCounter, logLevel: 'error' });
  const [first] = errors;
  if (first !== undefined) return lineCounter.linePos(first.pos[0]).line;
  return isSeq(contents) ? 1 : undefined;
}
