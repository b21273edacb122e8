import { systemError } from '../../base/varve-error.ts';

/**
 * Standard output, for results. When nobody reads it any more (`varve log web | head`), what is printed is dropped and
 * the command ends as it would have.
 */
export class StandardOutput {
  #listening = false;

  /** Prints `text` and ends the line. */
  print(text: string): void {
    if (!this.#listening) process.stdout.on('error', unlessNobodyReads);
    this.#listening = true;
    process.stdout.write(`${text}\n`);
  }
}

function unlessNobodyReads(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw systemError('write to standard output', error);
}
