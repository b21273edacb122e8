import { isVarveError, VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import type { FileSystem } from '../../filesystem/file-system.ts';
import { openVolume } from '../../guest/guest-volume.ts';
import { type Guest, openGuest } from '../../guest/open-guest.ts';
import type { ChangedRange } from '../../image/diff-snapshots.ts';
import { printable } from '../../log/printable.ts';
import { type MergeStep, mergeSteps } from './merge-steps.ts';
import {
  changeOutside,
  isSameVolume,
  type MergeableVolume,
  mergeableVolumes,
  requireOneRoot,
} from './mergeable-volumes.ts';
import { fileConflicts, isDirectoryTime, parentOf, touchedFiles } from './touched-files.ts';
import { type VolumeChanges, volumeChanges } from './volume-changes.ts';

/** A disk as both sides found it, and as each left it; the devices stay the caller's. */
export interface MergeInput {
  /** The image, for messages. */
  readonly name: string;
  readonly base: BlockDevice;
  readonly ours: BlockDevice;
  readonly theirs: BlockDevice;
  /** Where ours and theirs differ from the base. */
  readonly ourRanges: readonly ChangedRange[];
  readonly theirRanges: readonly ChangedRange[];
  readonly signal?: AbortSignal | undefined;
}

/** What is to be done in one file system of their disk. */
export interface VolumePlan {
  /** As the disk's system calls it: `/dev/sda1`. */
  readonly volume: string;
  /** In bytes, on the disk. */
  readonly offset: number;
  readonly length: number;
  /** As mount(8) names it. */
  readonly type: string;
  readonly steps: readonly MergeStep[];
}

/** Only so many files are named in a message. */
const mostNames = 5;

/**
 * What has to be done on their disk so that it has our changes, too; nothing for file systems that we left alone.
 *
 * @throws VarveError `CONFLICT` where both changed the same files, or something that is in no file; `CORRUPT`
 */
export async function planMerge(input: MergeInput): Promise<VolumePlan[]> {
  await using merge = await MergePlanner.open(input);
  return await merge.plan();
}

type Side = 'base' | 'ours' | 'theirs';

class MergePlanner implements AsyncDisposable {
  readonly #input: MergeInput;
  readonly #guests: Readonly<Record<Side, Guest>>;
  readonly #stack: AsyncDisposableStack;

  private constructor(input: MergeInput, guests: Readonly<Record<Side, Guest>>, stack: AsyncDisposableStack) {
    this.#input = input;
    this.#guests = guests;
    this.#stack = stack;
  }

  static async open(input: MergeInput): Promise<MergePlanner> {
    const { name } = input;
    await using stack = new AsyncDisposableStack();
    const open = async (side: Side) => stack.use(await openGuest(input[side], { name }));
    try {
      const guests = { base: await open('base'), ours: await open('ours'), theirs: await open('theirs') };
      return new MergePlanner(input, guests, stack.move());
    } catch (error) {
      if (!isVarveError(error, 'UNSUPPORTED', 'PERMISSION')) throw error;
      throw new VarveError('CONFLICT', `cannot merge ${name}: ${error.message}`, { cause: error });
    }
  }

  async plan(): Promise<VolumePlan[]> {
    const volumes = this.#sameVolumes();
    const { base: before, ourRanges, ours, theirRanges, theirs } = this.#input;
    await this.#requireExplained('this transaction', { before, after: ours, ranges: ourRanges }, volumes);
    await this.#requireExplained('the other', { before, after: theirs, ranges: theirRanges }, volumes);
    const plans: VolumePlan[] = [];
    const conflicts: string[] = [];
    for (const volume of volumes) {
      const { ours, theirs, sides } = await this.#changesIn(volume);
      const found = fileConflicts(touchedFiles(ours.changes, ours.links), touchedFiles(theirs.changes, theirs.links));
      conflicts.push(...found.map((path) => this.#shownPath(volume, path)));
      if (found.length > 0 || ours.changes.length === 0) continue;
      const { length, offset, type } = volume;
      const steps = await this.#steps(ours, theirs, sides);
      plans.push({ volume: volume.volume.name, offset, length, type, steps });
    }
    if (conflicts.length > 0) throw this.#conflict(`both changed ${listOf(conflicts)}`);
    return plans;
  }

  /** Those that are the same in all three. */
  #sameVolumes(): MergeableVolume[] {
    const { base, ours, theirs } = this.#guests;
    const [byOurs, byTheirs] = [mergeableVolumes(ours.volumes), mergeableVolumes(theirs.volumes)];
    return [...mergeableVolumes(base.volumes)].flatMap(([name, volume]) =>
      [byOurs, byTheirs].every((others) => isSameVolume(volume, others.get(name))) ? [volume] : [],
    );
  }

  async #requireExplained(
    who: string,
    states: Parameters<typeof changeOutside>[0],
    volumes: readonly MergeableVolume[],
  ): Promise<void> {
    const place = await changeOutside(states, volumes);
    if (place === undefined) return;
    throw this.#conflict(`${who} changed byte ${place}, which is in no file system that can be merged`);
  }

  async #changesIn(volume: MergeableVolume) {
    const { name, ourRanges, signal, theirRanges } = this.#input;
    const sides = {
      base: await this.#open('base', volume),
      ours: await this.#open('ours', volume),
      theirs: await this.#open('theirs', volume),
    };
    const { base: before } = sides;
    const options = { name, signal };
    return {
      sides,
      ours: await volumeChanges({ before, after: sides.ours, ranges: ourRanges }, volume, options),
      theirs: await volumeChanges({ before, after: sides.theirs, ranges: theirRanges }, volume, options),
    };
  }

  async #open(side: Side, volume: MergeableVolume): Promise<FileSystem> {
    const { name } = this.#input;
    const found = mergeableVolumes(this.#guests[side].volumes).get(volume.volume.name)!;
    const fileSystem = this.#stack.use((await openVolume(found.volume, name))!);
    await requireOneRoot(fileSystem.subvolumes?.(), volume, name);
    return fileSystem;
  }

  async #steps(
    { changes, links }: VolumeChanges,
    theirs: VolumeChanges,
    { base: before, ours: after }: Readonly<Record<Side, FileSystem>>,
  ): Promise<MergeStep[]> {
    const { name } = this.#input;
    const theirDirectories = new Set(
      theirs.changes.map((change) => (isDirectoryTime(change) ? change.path : parentOf(change.path))),
    );
    return await mergeSteps({ changes, links, before, after, theirDirectories, name });
  }

  #shownPath({ volume: { name } }: MergeableVolume, path: string): string {
    const directory = this.#guests.theirs.volumes.find((each) => each.name === name)?.directory;
    if (directory === undefined) return `${name}:${path}`;
    return directory === '/' ? path : directory + path;
  }

  #conflict(reason: string): VarveError {
    return new VarveError('CONFLICT', `cannot merge ${this.#input.name}: ${reason}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

function listOf(paths: readonly string[]): string {
  const names = paths.slice(0, mostNames).map(printable).join(', ');
  return paths.length > mostNames ? `${names} and ${paths.length - mostNames} more` : names;
}
