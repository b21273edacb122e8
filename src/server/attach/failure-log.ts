/** Nobody reads more. */
const mostLines = 1000;

/** Notes what goes wrong, each message once: a broken disk may fail at every file, and again whenever that is looked at. */
export class FailureLog {
  readonly #noted = new Set<string>();
  readonly #write: (line: string) => void;

  constructor(write: (line: string) => void) {
    this.#write = write;
  }

  note(message: string): void {
    if (this.#noted.has(message) || this.#noted.size > mostLines) return;
    this.#noted.add(message);
    this.#write(this.#noted.size > mostLines ? 'what else goes wrong is not noted' : message);
  }
}
