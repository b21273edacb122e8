import fs from 'node:fs';
import { systemError, VarveError } from '../../../base/varve-error.ts';
import type { MergeStep } from '../../../changes/merge/merge-steps.ts';
import type { ExtractSummary } from '../../../guest/extract/extract-files.ts';
import { giveMetadata } from '../../../guest/extract/give-metadata.ts';
import { LeftOut } from '../../../guest/extract/left-out.ts';
import { fillFile, makeFile } from '../../../guest/extract/make-file.ts';
import { TargetDirectory } from '../../../guest/extract/target-directory.ts';
import { bytesOf, type GuestFile, type GuestTree, nameOf } from '../../../guest/guest-tree.ts';
import { removeExtendedAttribute, setFileTimes } from '../../../linux/file-metadata.ts';

const { O_NOFOLLOW, O_WRONLY } = fs.constants;
/** What a file gets from the directory in which it is made, unless somebody takes it away. */
const inherited = ['system.posix_acl_access', 'system.posix_acl_default'];

/**
 * Takes the steps of a merge in a file system that is mounted at `root`, with what is to be made from `source`. No symlink
 * of either is ever followed.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED` where something cannot be kept, by errno
 */
export async function applySteps(root: string, source: GuestTree, steps: readonly MergeStep[]): Promise<void> {
  const merge = new MergeTarget(root, source);
  for (const step of steps) await merge.take(step);
  const [lost] = merge.leftOut.lines;
  if (lost !== undefined) throw new VarveError('UNSUPPORTED', `cannot merge: not everything can be kept: ${lost}`);
}

class MergeTarget {
  readonly leftOut = new LeftOut();
  readonly #summary: ExtractSummary = {
    ...{ files: 0, directories: 0, symlinks: 0, hardLinks: 0, others: 0, dataLength: 0 },
  };
  readonly #root: string;
  readonly #source: GuestTree;

  constructor(root: string, source: GuestTree) {
    this.#root = root;
    this.#source = source;
  }

  async take(step: MergeStep): Promise<void> {
    if (step.path === '/' && step.kind === 'finish') {
      using root = TargetDirectory.open(this.#root);
      return await this.#finish(root.ownPath, step);
    }
    using directory = this.#directoryOf(step.path);
    const name = bytesOf(nameOf(step.path));
    if (step.kind === 'remove') this.#remove(directory, name, step.isDirectory);
    else if (step.kind === 'make') await this.#make(directory, name, await this.#file(step.path));
    else if (step.kind === 'link') this.#link(directory, name, step.to);
    else if (step.kind === 'change') await this.#change(directory, name, step);
    else {
      using entered = directory.enter(name);
      await this.#finish(entered.ownPath, step);
    }
  }

  #remove(directory: TargetDirectory, name: Uint8Array, isDirectory: boolean): void {
    if (!isDirectory) {
      directory.remove(name);
      return;
    }
    try {
      fs.rmdirSync(directory.pathOf(name));
    } catch (error) {
      throw systemError(`remove ${directory.labelOf(name)}`, error);
    }
  }

  async #make(directory: TargetDirectory, name: Uint8Array, file: GuestFile): Promise<void> {
    if (file.kind === 'directory') {
      if (!directory.make(name)) throw isThere(directory, name);
      return;
    }
    const { leftOut } = this;
    const outcome = await makeFile({ directory, file, name, leftOut, summary: this.#summary });
    if (outcome === 'there') throw isThere(directory, name);
    await directory.withFile(name, (path) => dropInherited(path, file));
  }

  #link(directory: TargetDirectory, name: Uint8Array, to: string): void {
    using from = this.#directoryOf(to);
    if (!directory.addName(name, from, bytesOf(nameOf(to)))) throw isThere(directory, name);
  }

  async #change(
    directory: TargetDirectory,
    name: Uint8Array,
    { content, lost, path }: Extract<MergeStep, { kind: 'change' }>,
  ): Promise<void> {
    const file = await this.#file(path);
    const fd = fs.openSync(directory.pathOf(name), O_WRONLY | O_NOFOLLOW);
    try {
      if (content) {
        fs.ftruncateSync(fd, 0);
        await fillFile(fd, file, this.#summary);
      }
      const own = Buffer.from(`/proc/self/fd/${fd}`);
      for (const each of lost) removeExtendedAttribute(own, each);
      await giveMetadata(own, file, this.leftOut);
    } catch (error) {
      throw systemError(`write ${directory.labelOf(name)}`, error);
    } finally {
      fs.closeSync(fd);
    }
  }

  async #finish(own: Buffer, { lost, metadata, path, times }: Extract<MergeStep, { kind: 'finish' }>): Promise<void> {
    const file = await this.#file(path);
    const before = fs.statSync(own, { bigint: true });
    if (metadata) {
      for (const each of lost) removeExtendedAttribute(own, each);
      await giveMetadata(own, file, this.leftOut);
      await dropInherited(own, file);
    }
    const { modified } = file.stat;
    const ours = modified && BigInt(modified.seconds) * 1_000_000_000n + BigInt(modified.nanoseconds);
    setFileTimes(own, { accessed: before.atimeNs, modified: times && ours !== undefined ? ours : before.mtimeNs });
  }

  async #file(path: string): Promise<GuestFile> {
    return await this.#source.resolve(path, { followLast: false });
  }

  /** Opens the directory that a path is in, from the root on. */
  #directoryOf(path: string): TargetDirectory {
    using way = new DisposableStack();
    let directory = way.use(TargetDirectory.open(this.#root));
    const names = path.split('/').slice(1, -1);
    if (names.length === 0) return TargetDirectory.open(this.#root);
    for (const name of names.slice(0, -1)) directory = way.use(directory.enter(bytesOf(name)));
    return directory.enter(bytesOf(names.at(-1)!));
  }
}

/** What a file has only from the directory that it was made in. */
async function dropInherited(path: Buffer, file: GuestFile): Promise<void> {
  if (file.kind === 'symlink') return;
  const attributes = await file.fileSystem.extendedAttributes(file.node);
  const found = inherited.filter((name) => !attributes.has(name));
  for (const name of found) removeExtendedAttribute(path, name);
  if (found.length === 0) return;
  // Without its list the file's own permissions may be another's.
  fs.chmodSync(path, file.stat.mode);
}

function isThere(directory: TargetDirectory, name: Uint8Array): VarveError {
  return new VarveError('CONFLICT', `cannot merge: ${directory.labelOf(name)} is there already`);
}
