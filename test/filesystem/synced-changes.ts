import fs from 'node:fs';
import { dirname, join } from 'node:path';
import { pattern } from '../../src/conformance/device-content.ts';
import { randomBelow, seededRandom } from '../../src/filter/seeded-random.ts';
import { run } from './sample-image.ts';

/**
 * Does `count` random things to files below `directory`, most of them synced one by one, after a sync of what there was.
 * Of eight kinds none makes symlinks, for which ext4 always makes a whole transaction.
 */
export async function makeSyncedChanges(
  directory: string,
  { seed, count, kinds = 9 }: { seed: number; count: number; kinds?: 8 | 9 },
): Promise<void> {
  const changes = new SyncedChanges(directory, seed, kinds);
  await run('sync', ['-f', directory]);
  for (let step = 0; step < count; step++) changes.step();
}

class SyncedChanges {
  readonly #random: () => number;
  readonly #directories: string[];
  readonly #kinds: number;
  #files: string[] = [];
  #count = 0;

  constructor(directory: string, seed: number, kinds: number) {
    this.#kinds = kinds;
    this.#random = seededRandom(seed);
    this.#directories = [directory, ...['a', 'b', 'c'].map((name) => join(directory, name))];
    for (const each of this.#directories.slice(1)) fs.mkdirSync(each);
    for (const each of this.#directories) for (let index = 0; index < 6; index++) this.#create(each, `old ${index}`);
  }

  step(): void {
    this.#count++;
    const file = this.#one(this.#files);
    const kind = randomBelow(this.#random, this.#kinds);
    if (kind === 0) this.#sync(this.#create(this.#one(this.#directories), `new ${this.#count}`));
    else if (kind === 1) this.#remove(file);
    else if (kind === 2) this.#rename(file);
    else if (kind === 3) this.#link(file);
    else if (kind === 4) this.#write(file);
    else if (kind === 5) fs.truncateSync(file, randomBelow(this.#random, 200_000));
    else if (kind === 6) fs.chmodSync(file, 0o600 + randomBelow(this.#random, 0o177));
    else if (kind === 7) this.#makeDirectory();
    else fs.symlinkSync('target'.repeat(1 + randomBelow(this.#random, 30)), this.#newName());
    if (kind >= 4 && kind <= 6) this.#sync(file);
    if (kind === 8) this.#sync(this.#one(this.#directories));
  }

  #one(among: readonly string[]): string {
    return among[randomBelow(this.#random, among.length)]!;
  }

  #newName(): string {
    return join(this.#one(this.#directories), `name ${this.#count}`);
  }

  #create(directory: string, name: string): string {
    const path = join(directory, name);
    fs.writeFileSync(path, pattern([0, 10, 1000, 5000, 100_000][randomBelow(this.#random, 5)]!, this.#count));
    this.#files.push(path);
    return path;
  }

  #remove(file: string): void {
    fs.rmSync(file);
    this.#files = this.#files.filter((each) => each !== file);
    this.#sync(dirname(file));
  }

  #rename(file: string): void {
    const target = this.#random() < 0.5 ? this.#newName() : this.#one(this.#files);
    fs.renameSync(file, target);
    this.#files = [...this.#files.filter((each) => each !== file && each !== target), target];
    this.#sync(this.#random() < 0.5 ? target : dirname(file));
  }

  #link(file: string): void {
    const name = this.#newName();
    fs.linkSync(file, name);
    this.#files.push(name);
    this.#sync(this.#random() < 0.5 ? name : file);
  }

  #write(path: string): void {
    const file = fs.openSync(path, 'r+');
    const bytes = pattern([1, 5000, 70_000][randomBelow(this.#random, 3)]!, this.#count);
    fs.writeSync(file, bytes, 0, bytes.length, randomBelow(this.#random, 300_000));
    fs.closeSync(file);
  }

  #makeDirectory(): void {
    const path = this.#newName();
    fs.mkdirSync(path);
    this.#directories.push(path);
    this.#sync(this.#create(path, 'inner'));
  }

  #sync(path: string): void {
    if (this.#random() < 0.2) return;
    const file = fs.openSync(path, 'r');
    fs.fsyncSync(file);
    fs.closeSync(file);
  }
}
