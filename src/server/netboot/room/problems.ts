import { VarveError } from '../../../base/varve-error.ts';
import type { RoomNode } from './room-node.ts';

const mostLines = 10;

/** What is wrong with a room, gathered so that all of it can be said at once. */
export class Problems {
  readonly #path: string | undefined;
  readonly #found: { readonly line: number; readonly text: string }[] = [];

  /** `path` is the file's; undefined where there is none. */
  constructor(path?: string) {
    this.#path = path;
  }

  /** Notes what is wrong with `node`, as the end of a sentence that begins with what it is called. */
  add(node: Pick<RoomNode, 'line' | 'where'>, text: string): undefined {
    this.addAt(node.line, node.where === '' ? text : `${node.where} ${text}`);
  }

  /** Notes what is wrong at a line. */
  addAt(line: number | undefined, text: string): void {
    const place = this.#path === undefined ? '' : `${this.#path}${line === undefined ? '' : `:${line}`}: `;
    this.#found.push({ line: line ?? 0, text: place + text });
  }

  /** @throws VarveError `INVALID` with up to ten lines, where there was something */
  throwAny(): void {
    if (this.#found.length === 0) return;
    const texts = [...new Set(this.#found.sort((a, b) => a.line - b.line).map(({ text }) => text))];
    const more = texts.length > mostLines ? [`… and ${texts.length - mostLines + 1} more`] : [];
    const shown = more.length === 0 ? texts : texts.slice(0, mostLines - 1);
    throw new VarveError('INVALID', [...shown, ...more].join('\n'));
  }
}
