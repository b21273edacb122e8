import { isZeroName, sameName } from './chunk.ts';
import type { ContentMap } from './content-map.ts';
import { chunksUnder, fanout, nameIn } from './map-format.ts';

/** Neighbouring chunks, counted from the disk's start, whose content differs. */
export interface ChangedRun {
  readonly chunkIndex: number;
  readonly chunkCount: number;
}

/**
 * The chunks in which two contents differ, in order, neighbours joined; past the end of the smaller one the other is
 * compared with zeros. Subtrees of equal name are not looked into: this costs what changed, not what there is.
 */
export async function* changedRuns(a: ContentMap, b: ContentMap): AsyncIterable<ChangedRun> {
  let pending: ChangedRun | undefined;
  for await (const run of walk(a, b, a.top, b.top, Math.max(a.depth, b.depth), 0)) {
    if (pending !== undefined && pending.chunkIndex + pending.chunkCount === run.chunkIndex) {
      pending = { chunkIndex: pending.chunkIndex, chunkCount: pending.chunkCount + run.chunkCount };
    } else {
      if (pending !== undefined) yield pending;
      pending = run;
    }
  }
  if (pending !== undefined) yield pending;
}

async function* walk(
  a: ContentMap,
  b: ContentMap,
  nameA: Uint8Array,
  nameB: Uint8Array,
  level: number,
  first: number,
): AsyncIterable<ChangedRun> {
  // Above its own top a map repeats the top's name, which then says nothing; the zero name says the same at any level.
  const comparable = level > a.depth === level > b.depth || isZeroName(nameA);
  if (comparable && sameName(nameA, nameB)) return;
  if (level === 0) {
    yield { chunkIndex: first, chunkCount: 1 };
    return;
  }
  const nodeA = await nodeAt(a, nameA, level);
  const nodeB = await nodeAt(b, nameB, level);
  if (level === 1) yield* leafDifferences(nodeA, nodeB, first);
  else {
    const span = chunksUnder(level - 1);
    for (let index = 0; index < fanout; index += 1) {
      yield* walk(a, b, nameIn(nodeA, index), nameIn(nodeB, index), level - 1, first + index * span);
    }
  }
}

const emptyNode = new Uint8Array(0);

/** The node under a name; above a map's own top, nodes are made up that hold it as their first child. */
function nodeAt(map: ContentMap, name: Uint8Array, level: number): Promise<Uint8Array> | Uint8Array {
  if (isZeroName(name)) return emptyNode;
  return level > map.depth ? map.top : map.node(name);
}

function* leafDifferences(a: Uint8Array, b: Uint8Array, first: number): Iterable<ChangedRun> {
  for (let index = 0; index < fanout; index += 1) {
    if (!sameName(nameIn(a, index), nameIn(b, index))) yield { chunkIndex: first + index, chunkCount: 1 };
  }
}
