import { readYaml } from './put-in-yaml.ts';
import { type Problem, problemAt } from './template-problem.ts';

type OnProblem = (problem: Problem) => void;

const header = '#cloud-config';

/** Looks at a file that cloud-init reads, when it is known to be YAML or a script. No message quotes it. */
export function checkCloudData(
  kind: 'autoinstall' | 'cloud-init',
  name: string,
  text: string,
  onProblem: OnProblem,
): void {
  if (name === 'user-data' || name === 'vendor-data') {
    if (kind === 'cloud-init' && text.startsWith('#!')) return;
    if (name === 'vendor-data' && text.trim() === '') return;
    checkHeader(text, onProblem);
  }
  const data = readYaml(text);
  const isMap = data !== null && typeof data === 'object' && !Array.isArray(data);
  if (!isMap) {
    if (data !== null || name === 'meta-data') onProblem(problemAt(undefined, 'it has to be a map of names to values'));
    return;
  }
  const map = data as Readonly<Record<string, unknown>>;
  if (name === 'meta-data' && !isText(map['instance-id'])) {
    onProblem(problemAt(undefined, 'it has no instance-id, without which cloud-init does nothing'));
  }
  if (name === 'network-config') checkNetwork(map, onProblem);
  if (name === 'user-data' && kind === 'autoinstall') checkAutoinstall(map.autoinstall, onProblem);
}

/**
 * An autoinstall file as installation media have it, at the top level, made one that cloud-init reads.
 *
 * @returns how many lines stand before those of `text`
 */
export function wrapAutoinstall(text: string, onProblem: OnProblem): { text: string; addedLines: number } {
  if (firstLine(text) === header || /^autoinstall:/m.test(text)) return { text, addedLines: 0 };
  if (/^(---|\.\.\.|%)/m.test(text)) onProblem(problemAt(1, `it has to begin with ${header}, and be one document`));
  return { text: `${header}\nautoinstall:\n${text.replace(/^(?=.)/gm, '  ')}`, addedLines: 2 };
}

function checkHeader(text: string, onProblem: OnProblem): void {
  const first = firstLine(text);
  if (first === header) return;
  const isJinja = /^## *template: *jinja/.test(first);
  const why = isJinja
    ? "Jinja's {{ }} cannot be told from ours; leave its first line out"
    : `it does not begin with ${header}`;
  onProblem(problemAt(1, why));
}

function checkAutoinstall(data: unknown, onProblem: OnProblem): void {
  const version = data !== null && typeof data === 'object' && 'version' in data ? data.version : undefined;
  if (version !== 1) onProblem(problemAt(undefined, 'there is no autoinstall: with version: 1 in it'));
}

function checkNetwork(map: Readonly<Record<string, unknown>>, onProblem: OnProblem): void {
  const { network = map } = map;
  const version = network !== null && typeof network === 'object' && 'version' in network ? network.version : undefined;
  if (version !== 1 && version !== 2) onProblem(problemAt(undefined, 'there is no version: 1 or version: 2 in it'));
}

function firstLine(text: string): string {
  return /^[^\r\n]*/.exec(text)![0].trimEnd();
}

function isText(value: unknown): boolean {
  return (typeof value === 'string' && value !== '') || typeof value === 'number';
}
