import { relative } from 'node:path';

/** What the test runner reports of a test, as far as a skip goes. */
interface ReportedTest {
  readonly name: string;
  readonly file?: string | undefined;
  /** The reason; `true` or `''` when none was given; undefined when the test ran. */
  readonly skip?: string | boolean | undefined;
}

/** Collects the tests that were skipped, by reason. */
export class Skips {
  readonly #testsByReason = new Map<string, string[]>();

  /** Whether a test was skipped without saying why. */
  get hasUnexplained(): boolean {
    return this.#testsByReason.has('');
  }

  /** Takes note of `test` if it was skipped. */
  note({ name, file, skip }: ReportedTest): void {
    if (skip === undefined || skip === false) return;
    const reason = skip === true ? '' : skip.replace(/\s+/g, ' ').trim();
    const test = file === undefined ? name : `${relative('.', file)}: ${name}`;
    this.#testsByReason.set(reason, [...(this.#testsByReason.get(reason) ?? []), test]);
  }

  /** The reasons, each with its tests below it; empty when nothing was skipped. */
  summary(): string {
    const reasons = [...this.#testsByReason].map(([reason, tests]) =>
      [`  ${reason || 'without a reason, which counts as a failure'}`, ...tests.map((test) => `    ${test}`)].join(
        '\n',
      ),
    );
    return reasons.length === 0 ? '' : ['\nSkipped:', ...reasons].join('\n');
  }
}
