import { isVarveError, VarveError } from '../../base/varve-error.ts';
import { alignUp } from '../../bytes/align.ts';
import { fitsTarNumber, tarBlockSize } from '../../format/tar-header.ts';
import { type DataRun, dataRunsOf } from '../data-runs.ts';
import { FirstNames } from '../first-names.ts';
import { bytesOf, type GuestFile, type GuestTree, nameOf } from '../guest-tree.ts';
import { lookAtFile } from '../look-at-files.ts';
import { type WalkOptions, walkGuest } from '../walk-guest.ts';
import { memberHeader, type TarMember } from './member-header.ts';
import { type ByteSink, TarOutput } from './tar-output.ts';

/** What goes into an archive, and who hears of what does not. */
export interface WriteTarOptions extends Pick<WalkOptions, 'oneFileSystem' | 'wanted'> {
  /** Hears of what cannot be read: it is left out, or has zeros in its place where its content had begun. */
  readonly onProblem: (error: VarveError) => void;
  /** Hears of files that archives do not hold: sockets. */
  readonly onSkipped: (path: string) => void;
}

/** How many files an archive holds, and its length in bytes. */
export interface TarSummary {
  readonly members: number;
  readonly length: number;
}

/**
 * Writes a file, or a directory and all below it, as a tar archive: names from the directory on (`./etc/fstab`), in the order
 * of `walkGuest`. @throws what the sink throws
 */
export async function writeTar(
  tree: GuestTree,
  start: GuestFile,
  sink: ByteSink,
  options: WriteTarOptions,
): Promise<TarSummary> {
  const writer = new TarWriter(start, new TarOutput(sink), options);
  for await (const { entry } of walkGuest(tree, start, options)) {
    const file = await lookAtFile(entry, options.onProblem);
    if (file !== undefined) await writer.add(file);
  }
  return await writer.end();
}

class TarWriter {
  readonly #start: GuestFile;
  readonly #output: TarOutput;
  readonly #options: WriteTarOptions;
  readonly #names = new FirstNames<Uint8Array>();
  #members = 0;

  constructor(start: GuestFile, output: TarOutput, options: WriteTarOptions) {
    this.#start = start;
    this.#output = output;
    this.#options = options;
  }

  async end(): Promise<TarSummary> {
    await this.#output.end();
    return { members: this.#members, length: this.#output.length };
  }

  async add(file: GuestFile): Promise<void> {
    if (file.kind === 'socket') return this.#options.onSkipped(file.path);
    const member = await this.#readMember(file);
    if (member === undefined) return;
    await this.#output.add(memberHeader(member));
    this.#members += 1;
    if (member.map !== undefined) await this.#output.add(member.map);
    for (const run of member.runs) await this.#copy(file, run);
    await this.#output.pad();
    if (member.link?.kind !== 'hard') this.#names.set(file, member.name);
  }

  /** What is to be written of a file; undefined where that cannot be read. */
  async #readMember(file: GuestFile): Promise<Member | undefined> {
    try {
      return await this.#memberOf(file);
    } catch (error) {
      if (!isVarveError(error)) throw error;
      this.#options.onProblem(error);
      return undefined;
    }
  }

  async #memberOf(file: GuestFile): Promise<Member> {
    const { fileSystem, kind, node, stat } = file;
    const name = this.#nameOf(file);
    const nothing = { name, stat, storedLength: 0, isSparse: false, runs: [] };
    const first = this.#names.get(file);
    if (first !== undefined) return { ...nothing, attributes: new Map(), link: { kind: 'hard', target: first } };
    const { major, minor } = stat.device ?? { major: 0, minor: 0 };
    if (!fitsTarNumber(major, 8) || !fitsTarNumber(minor, 8)) {
      throw new VarveError('UNSUPPORTED', `an archive cannot hold ${file.path}: it is the device ${major}, ${minor}`);
    }
    const attributes = await fileSystem.extendedAttributes(node);
    if (kind === 'symlink') {
      return { ...nothing, attributes, link: { kind: 'symlink', target: await fileSystem.readLink(node) } };
    }
    if (kind !== 'file' || stat.size === 0) return { ...nothing, attributes };
    const { hasHoles, runs } = await dataRunsOf(file);
    if (!hasHoles) {
      const whole = { storedLength: stat.size, runs: [{ offset: 0, length: stat.size }] };
      return { ...nothing, ...whole, attributes };
    }
    const map = sparseMap(runs, stat.size);
    const storedLength = runs.reduce((sum, { length }) => sum + length, map.length);
    return { ...nothing, attributes, isSparse: true, storedLength, map, runs };
  }

  #nameOf({ kind, path }: GuestFile): Uint8Array {
    const { kind: startKind, path: above } = this.#start;
    if (startKind !== 'directory') return bytesOf(nameOf(path));
    const inner = path === above ? '' : path.slice(above === '/' ? 1 : above.length + 1);
    return bytesOf(`./${inner}${kind === 'directory' && inner !== '' ? '/' : ''}`);
  }

  /** Copies a run of a file; zeros stand for what cannot be read of it, as a member's length is fixed by then. */
  async #copy({ fileSystem, node, path }: GuestFile, { length, offset }: DataRun): Promise<void> {
    for (let done = 0; done < length; ) {
      const room = await this.#output.room(length - done);
      let got = 0;
      try {
        got = await fileSystem.read(node, room, offset + done);
        if (got === 0) throw new VarveError('CORRUPT', `cannot read ${path}: it ends at byte ${offset + done}`);
      } catch (error) {
        if (!isVarveError(error)) throw error;
        this.#options.onProblem(new VarveError(error.code, `${error.message}; zeros stand for the rest of ${path}`));
        return await this.#output.zeros(length - done);
      }
      this.#output.use(got);
      done += got;
    }
  }
}

interface Member extends TarMember {
  readonly runs: readonly DataRun[];
  /** Of a sparse file: which ranges follow. */
  readonly map?: Uint8Array;
}

/** Source: GNU tar manual, "Storing Sparse Files", "PAX Format, Version 1.0". */
function sparseMap(runs: readonly DataRun[], size: number): Uint8Array {
  const last = runs.at(-1);
  const reachesEnd = last !== undefined && last.offset + last.length === size;
  const all = reachesEnd ? runs : [...runs, { offset: size, length: 0 }];
  const text = `${all.length}\n${all.map(({ length, offset }) => `${offset}\n${length}\n`).join('')}`;
  const bytes = new Uint8Array(alignUp(text.length, tarBlockSize));
  bytes.set(Buffer.from(text, 'latin1'));
  return bytes;
}
