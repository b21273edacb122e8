import { randomBelow } from '../../src/filter/seeded-random.ts';
import type { Store } from '../../src/store/store.ts';
import type { Operation } from './operation.ts';

const imageLimit = 5;
const snapshotLimit = 4;

type Kind = Operation['kind'];

/** How often each kind is chosen, among those that can be done. */
const weights: Readonly<Record<Kind, number>> = {
  import: 4,
  update: 6,
  snapshot: 3,
  clone: 2,
  'remove snapshots': 4,
  'remove image': 3,
  rename: 1,
  tag: 1,
  describe: 1,
  collect: 6,
};

/** Something that can be done to the store as it is now. It stays small: what grows too large is removed from. */
export function randomOperation(store: Store, random: () => number): Operation {
  const images = store.images.all();
  const name = `i${randomBelow(random, 1_000_000)}`;
  const seed = randomBelow(random, 1_000_000);
  const chosen = images[randomBelow(random, images.length)];
  if (chosen === undefined) return { kind: 'import', image: name, seed };
  const image = chosen.name;
  const numbers = store.images.snapshots(image).map(({ number }) => number);
  const number = numbers[randomBelow(random, numbers.length)] as number;
  switch (randomKind(random, images.length, numbers.length)) {
    case 'import':
      return { kind: 'import', image: name, seed };
    case 'update':
      return { kind: 'update', image, seed };
    case 'snapshot':
      return { kind: 'snapshot', image };
    case 'clone':
      return { kind: 'clone', image, number, to: name };
    case 'remove snapshots':
      return { kind: 'remove snapshots', image, numbers: numbers.filter((each) => each !== number && random() < 0.7) };
    case 'remove image':
      return { kind: 'remove image', image };
    case 'rename':
      return { kind: 'rename', image, to: name };
    case 'tag':
      return { kind: 'tag', image, number, tag: `t${randomBelow(random, 3)}` };
    case 'describe':
      return { kind: 'describe', image, number, message: `message ${seed}` };
    case 'collect':
      return { kind: 'collect' };
  }
}

function randomKind(random: () => number, imageCount: number, snapshotCount: number): Kind {
  const isFull = imageCount >= imageLimit;
  const isLong = snapshotCount >= snapshotLimit;
  const impossible = new Set<Kind>();
  if (isFull) for (const kind of ['import', 'clone'] as const) impossible.add(kind);
  else impossible.add('remove image');
  if (isLong) for (const kind of ['update', 'snapshot'] as const) impossible.add(kind);
  if (snapshotCount < 2) impossible.add('remove snapshots');
  const possible = Object.entries(weights).filter(([kind]) => !impossible.has(kind as Kind)) as [Kind, number][];
  let left = random() * possible.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [kind, weight] of possible) {
    left -= weight;
    if (left < 0) return kind;
  }
  return 'collect';
}
