import { execFile } from 'node:child_process';
import { mkdir, readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { type Judgement, type JudgeTools, judgeImage, type Verdict } from './judge-image.ts';
import type { ToolCall } from './tool-wrappers.ts';

/** What came out of comparing an image while a test was at work. */
export interface Finding extends Verdict {
  readonly test: string;
  /** The image's file name. */
  readonly image: string;
  /** The call of a tool that it was compared after. */
  readonly after: string;
}

/** What a judge works with. */
export interface JudgeOptions {
  readonly qemuImg: string;
  readonly scratchFile: string;
  /** Where files are kept of images that are read differently; nowhere where it is not given. */
  readonly keepDirectory?: string | undefined;
  readonly onFinding?: ((finding: Finding) => void) | undefined;
}

/** An image that was judged: what it was then. */
interface Judged {
  readonly stamp: string;
  readonly hangsOnOthers: boolean;
}

/** More would take seconds for each call; no test needs larger files to make its point. */
const maximumFileLength = 2 ** 29;
const keptCount = 60;

/** Looks at the images in the directories of tests after each call of a tool, as far as they changed. */
export class Judge {
  readonly findings: Finding[] = [];
  readonly #options: JudgeOptions;
  readonly #judged = new Map<string, Judged>();
  readonly #secrets = new Set<string>();
  #kept = 0;

  constructor(options: JudgeOptions) {
    this.#options = options;
  }

  async afterCall({ options, testDirectory }: ToolCall): Promise<void> {
    this.#noteSecrets(options);
    const changed: string[] = [];
    const building: string[] = [];
    for (const name of await readdir(testDirectory)) {
      const path = join(testDirectory, name);
      const stats = await stat(path).catch(() => undefined);
      if (stats === undefined || !stats.isFile() || stats.blocks * 512 > maximumFileLength) continue;
      const stamp = `${stats.ino} ${stats.size} ${stats.mtimeMs}`;
      const known = this.#judged.get(path);
      if (known?.stamp !== stamp) changed.push(path);
      else if (known.hangsOnOthers) building.push(path);
      this.#judged.set(path, { stamp, hangsOnOthers: known?.hangsOnOthers ?? true });
    }
    if (changed.length === 0) return;
    for (const path of [...changed, ...building]) await this.#judge(path, options, testDirectory);
  }

  async #judge(path: string, options: readonly string[], testDirectory: string): Promise<void> {
    const tools: JudgeTools = { ...this.#options, secrets: [...this.#secrets].reverse() };
    const { hangsOnOthers, verdicts } = await judgeImage(path, tools).catch(unjudged);
    this.#judged.set(path, { stamp: this.#judged.get(path)?.stamp ?? '', hangsOnOthers });
    const after = options.join(' ').replaceAll(`${testDirectory}/`, '');
    for (const verdict of verdicts) {
      const finding = { test: basename(testDirectory), image: basename(path), after, ...verdict };
      this.findings.push(finding);
      this.#options.onFinding?.(finding);
    }
    if (verdicts.some(({ outcome }) => outcome === 'different')) await this.#keep(testDirectory);
  }

  #noteSecrets(options: readonly string[]): void {
    for (const option of options) {
      const data = /^secret,.*?\bdata=([^,]*)/.exec(option)?.[1];
      if (data === undefined) continue;
      // The one that was used last comes first: AES takes any for right.
      this.#secrets.delete(data);
      this.#secrets.add(data);
    }
  }

  async #keep(testDirectory: string): Promise<void> {
    const { keepDirectory } = this.#options;
    if (keepDirectory === undefined || this.#kept === keptCount) return;
    this.#kept += 1;
    const target = join(keepDirectory, `${this.findings.length}`);
    await mkdir(keepDirectory, { recursive: true });
    await promisify(execFile)('cp', ['-r', '--sparse=always', testDirectory, target]);
  }
}

/** An error that is no refusal of an image is a finding, too: the tests go on. */
function unjudged(error: unknown): Judgement {
  return { verdicts: [{ aspect: 'open', outcome: 'different', detail: `${error}` }], hangsOnOthers: true };
}
