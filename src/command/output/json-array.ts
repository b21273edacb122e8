import { printableJson } from '../../log/printable.ts';
import type { TextOutput } from './text-output.ts';

/** Prints a JSON array, one value after the other, so that there may be any number of them. */
export class JsonArray {
  readonly #output: TextOutput;
  #isEmpty = true;

  constructor(output: TextOutput) {
    this.#output = output;
  }

  add(value: object): void {
    const text = printableJson(JSON.stringify(value, null, 2)).replaceAll('\n', '\n  ');
    this.#output.add(`${this.#isEmpty ? '[' : ','}\n  ${text}`);
    this.#isEmpty = false;
  }

  end(): void {
    this.#output.add(this.#isEmpty ? '[]\n' : '\n]\n');
  }
}
