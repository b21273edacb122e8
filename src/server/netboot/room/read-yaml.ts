import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type YAMLMap } from 'yaml';
import type { Problems } from './problems.ts';
import type { RoomNode } from './room-node.ts';

/** More than a room of thousands of machines needs. What aliases stand for counts as often as it is named. */
const mostNodes = 100_000;
const mostLevels = 32;

/**
 * What a YAML file says, all of its values as they are written; undefined, with the problem noted, where that cannot be
 * told. Source: YAML 1.2.2, the failsafe schema.
 */
export function readYaml(text: string, problems: Problems): RoomNode | undefined {
  const lines = new LineCounter();
  const options = { schema: 'failsafe', prettyErrors: false, uniqueKeys: false, logLevel: 'silent' } as const;
  let document: ReturnType<typeof parseDocument>;
  try {
    document = parseDocument(text, { ...options, lineCounter: lines });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    problems.addAt(1, 'it cannot be read as YAML: it is nested too deeply');
    return undefined;
  }
  const wrong = [...document.errors, ...document.warnings];
  for (const { message, pos } of wrong.slice(0, 100)) {
    problems.addAt(lines.linePos(pos[0]).line, `it cannot be read as YAML: ${message.split('\n')[0]}`);
  }
  return wrong.length > 0 ? undefined : new TreeReader(lines, problems).read(document.contents, '', 0, 1);
}

/** Makes a plain tree of YAML's, of a size that is bounded whatever its aliases say. */
class TreeReader {
  readonly #lines: LineCounter;
  readonly #problems: Problems;
  /** By name, as far as they have been met: aliases stand behind what they stand for. */
  readonly #anchors = new Map<string, unknown>();
  #left = mostNodes;

  constructor(lines: LineCounter, problems: Problems) {
    this.#lines = lines;
    this.#problems = problems;
  }

  /** `above` is the line of what `node` is in, for those that have none. */
  read(node: unknown, where: string, level: number, above: number): RoomNode | undefined {
    const line = this.#lineOf(node) ?? above;
    if (!this.#take(line, level)) return undefined;
    if (isAlias(node)) return this.read(this.#anchors.get(node.source), where, level + 1, line);
    const anchor = (node as { readonly anchor?: string } | null)?.anchor;
    if (anchor !== undefined) this.#anchors.set(anchor, node);
    if (isMap(node)) return this.#map(node, where, level, line);
    if (isSeq(node)) {
      const items: RoomNode[] = [];
      for (const [index, item] of node.items.entries()) {
        const read = this.read(item, `${where}[${index + 1}]`, level + 1, line);
        if (read !== undefined) items.push(read);
        if (this.#left < 0) break;
      }
      return { kind: 'list', line, where, items };
    }
    return { kind: 'text', line, where, text: isScalar(node) ? String(node.value ?? '') : '' };
  }

  #map(node: YAMLMap, where: string, level: number, line: number): RoomNode {
    const fields = new Map<string, RoomNode>();
    for (const { key, value } of node.items) {
      const keyLine = this.#lineOf(key) ?? line;
      const name = isScalar(key) ? String(key.value ?? '') : undefined;
      const path = within(where, name ?? '');
      if (name === undefined) this.#problems.addAt(keyLine, `${where || 'the file'} has a key that is no word`);
      else if (fields.has(name)) this.#problems.addAt(keyLine, `${path} stands there twice`);
      else {
        const field = this.read(value, path, level + 1, keyLine);
        // The line of a group is that of its name, not the one below where its keys begin.
        if (field !== undefined) fields.set(name, field.kind === 'text' ? field : { ...field, line: keyLine });
      }
      if (this.#left < 0) break;
    }
    return { kind: 'map', line, where, fields };
  }

  #lineOf(node: unknown): number | undefined {
    const offset = (node as Node | null | undefined)?.range?.[0];
    return offset === undefined ? undefined : this.#lines.linePos(offset).line;
  }

  /** Whether one more node may be read. */
  #take(line: number, level: number): boolean {
    if (this.#left < 0) return false;
    this.#left -= 1;
    if (this.#left >= 0 && level <= mostLevels) return true;
    const limit =
      this.#left < 0 ? `it says more than ${mostNodes} things` : `it is nested more than ${mostLevels} deep`;
    this.#problems.addAt(line, `${limit}, with what its aliases stand for`);
    this.#left = -1;
    return false;
  }
}

function within(where: string, name: string): string {
  const shown = name.length > 60 ? `${name.slice(0, 60)}…` : name;
  return where === '' ? shown : `${where}.${shown}`;
}
