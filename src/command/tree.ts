import type { Command } from 'commander';
import { formatSize } from '../base/size.ts';
import { type GuestEntry, nameOf } from '../guest/guest-tree.ts';
import { lookAtFile } from '../guest/look-at-files.ts';
import { type WalkStep, walkGuest } from '../guest/walk-guest.ts';
import type { CommandModule } from './framework/command-module.ts';
import { parseCount } from './input/count.ts';
import { splitInnerPath } from './input/inner-path.ts';
import { addInsideOptions, type InsideOptions, openInside } from './input/inside-options.ts';
import { targetOf } from './output/file-json.ts';
import { nameText } from './output/name-text.ts';
import { plural } from './output/plural.ts';
import { Problems } from './output/problems.ts';
import { TextOutput } from './output/text-output.ts';

interface Options extends InsideOptions {
  readonly maxDepth?: number;
  readonly directories?: boolean;
  readonly sizes?: boolean;
  readonly oneFileSystem?: boolean;
}

/** `varve tree DISK[:PATH]` */
export const treeCommand: CommandModule<[string], Options> = {
  examples: [
    ['varve tree web:/etc/apt', 'a directory of a disk, and all below it'],
    ['varve tree -d -L 2 ./disk.qcow2', 'the upper two levels of directories'],
  ],
  completes: ['disk'],
  configure: (command: Command) =>
    addInsideOptions(
      command
        .argument('<disk[:path]>', 'a disk, or a directory in it: web:/etc, ./disk.qcow2:/boot')
        .option('-L, --max-depth <levels>', 'go so many levels down', parseCount)
        .option('-d, --directories', 'directories only')
        .option('-s, --sizes', 'with the sizes of files')
        .option('-x, --one-file-system', 'leave out what is mounted below'),
    ),
  async run(context, [argument], options) {
    const { disk, inner = '/' } = splitInnerPath(argument);
    await using guest = await openInside(context, disk, options);
    const start = await guest.tree.resolve(inner);
    const problems = new Problems(context);
    const { directories, maxDepth, oneFileSystem, sizes = false } = options;
    const wanted = directories ? ({ kind }: GuestEntry) => kind === 'directory' : undefined;
    const steps = walkGuest(guest.tree, start, { maxDepth, oneFileSystem, wanted, onProblem: problems.note });
    if (context.json) context.show(await nestedTree(steps, sizes, problems), () => '');
    else await printTree(steps, sizes, problems);
    return problems.exitStatus;
  },
};

/** A file, and what is in it, for programs. */
interface TreeNode {
  readonly name: string;
  readonly kind: string;
  readonly size?: number | undefined;
  readonly target?: string | undefined;
  readonly children?: TreeNode[];
}

async function nestedTree(steps: AsyncIterable<WalkStep>, sizes: boolean, problems: Problems): Promise<TreeNode> {
  const way: TreeNode[] = [];
  for await (const { depth, entry } of steps) {
    const { size, target } = await shownOf(entry, sizes, problems);
    const { kind, path } = entry;
    const name = depth === 0 ? path : nameOf(path);
    const node = { name, kind, size, target, ...(kind === 'directory' && { children: [] }) };
    way.length = depth;
    way.at(-1)?.children?.push(node);
    way.push(node);
  }
  return way[0]!;
}

async function printTree(steps: AsyncIterable<WalkStep>, sizes: boolean, problems: Problems): Promise<void> {
  using output = new TextOutput();
  const counts = { directories: 0, files: 0 };
  // Of each level on the way whether something of it is still to come.
  const lines: string[] = [];
  for await (const { depth, entry, isLast } of steps) {
    const { size, target } = await shownOf(entry, sizes, problems);
    lines.length = Math.max(0, depth - 1);
    const branch = depth === 0 ? '' : lines.join('') + (isLast ? '└── ' : '├── ');
    if (depth > 0) lines.push(isLast ? '    ' : '│   ');
    if (depth > 0) counts[entry.kind === 'directory' ? 'directories' : 'files'] += 1;
    const name = nameText(depth === 0 ? entry.path : nameOf(entry.path));
    const length = size === undefined ? '' : `[${formatSize(size)}]  `;
    output.add(`${branch}${length}${name}${target === undefined ? '' : ` -> ${nameText(target)}`}\n`);
  }
  const { directories, files } = counts;
  output.add(`\n${directories} ${directories === 1 ? 'directory' : 'directories'}, ${plural(files, 'file')}\n`);
}

/** What is shown of a file besides its name, for which it has to be looked at. */
async function shownOf(
  entry: GuestEntry,
  sizes: boolean,
  problems: Problems,
): Promise<{ readonly size?: number | undefined; readonly target?: string | undefined }> {
  const needsSize = sizes && entry.kind === 'file';
  if (!needsSize && entry.kind !== 'symlink') return {};
  const file = await lookAtFile(entry, problems.note);
  if (file === undefined) return {};
  return { size: needsSize ? file.stat.size : undefined, target: await targetOf(file) };
}
