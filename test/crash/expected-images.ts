import assert from 'node:assert/strict';
import type { Store } from '../../src/store/store.ts';
import type { Operation } from './operation.ts';

interface ExpectedSnapshot {
  readonly seed: number;
  readonly message: string;
}

interface ExpectedImage {
  readonly next: number;
  readonly snapshots: ReadonlyMap<number, ExpectedSnapshot>;
  readonly tags: ReadonlyMap<string, number>;
}

/** The images that a store is to hold, after the operations that were reported. */
export class ExpectedImages {
  readonly #images: ReadonlyMap<string, ExpectedImage>;

  constructor(images: ReadonlyMap<string, ExpectedImage> = new Map()) {
    this.#images = images;
  }

  /** The images after one more operation. */
  after(operation: Operation): ExpectedImages {
    const images = new Map(this.#images);
    change(images, operation);
    return new ExpectedImages(images);
  }

  /** The snapshots, and the seed of the disk that each must hold. */
  *snapshots(): Iterable<{ readonly reference: string; readonly seed: number }> {
    for (const [name, { snapshots }] of this.#images) {
      for (const [number, { seed }] of snapshots) yield { reference: `${name}@${number}`, seed };
    }
  }

  /** In words, to be compared with `describeImages`: all but the contents. */
  describe(): string[] {
    return [...this.#images].flatMap(([name, image]) => describeImage(name, image)).sort();
  }
}

/** The images of a store in the words of `ExpectedImages.describe`. */
export function describeImages(store: Store): string[] {
  const next = new Map(store.catalog.all('SELECT name, next_number FROM images').map((row) => [row.name, row]));
  return store.images
    .all()
    .flatMap(({ name }) => {
      const snapshots = store.images.snapshots(name);
      return describeImage(name, {
        next: next.get(name)?.next_number as number,
        snapshots: new Map(snapshots.map(({ number, message }) => [number, { seed: 0, message }])),
        tags: new Map(snapshots.flatMap(({ number, tags }) => tags.map((tag) => [tag, number] as const))),
      });
    })
    .sort();
}

function describeImage(name: string, { next, snapshots, tags }: ExpectedImage): string[] {
  return [
    `${name}: next ${next}`,
    ...[...snapshots].map(([number, { message }]) => `${name}@${number}: ${message}`),
    ...[...tags].map(([tag, number]) => `${name}@${tag}: ${number}`),
  ];
}

function change(images: Map<string, ExpectedImage>, operation: Operation): void {
  if (operation.kind === 'collect') return;
  if (operation.kind === 'import') {
    images.set(operation.image, firstOf(operation.seed));
    return;
  }
  const image = images.get(operation.image);
  assert(image, `${operation.image} is there`);
  switch (operation.kind) {
    case 'update':
      images.set(operation.image, withNext(image, operation.seed));
      return;
    case 'snapshot':
      images.set(operation.image, withNext(image, [...image.snapshots.values()].at(-1)!.seed));
      return;
    case 'clone':
      images.set(operation.to, firstOf(image.snapshots.get(operation.number)!.seed));
      return;
    case 'remove snapshots':
      images.set(operation.image, without(image, operation.numbers));
      return;
    case 'remove image':
      images.delete(operation.image);
      return;
    case 'rename':
      images.delete(operation.image);
      images.set(operation.to, image);
      return;
    case 'tag':
      images.set(operation.image, { ...image, tags: new Map([...image.tags, [operation.tag, operation.number]]) });
      return;
    case 'describe': {
      const snapshot = { seed: image.snapshots.get(operation.number)!.seed, message: operation.message };
      images.set(operation.image, { ...image, snapshots: new Map([...image.snapshots, [operation.number, snapshot]]) });
    }
  }
}

function firstOf(seed: number): ExpectedImage {
  return { next: 2, snapshots: new Map([[1, { seed, message: '' }]]), tags: new Map() };
}

function withNext(image: ExpectedImage, seed: number): ExpectedImage {
  const snapshots = new Map([...image.snapshots, [image.next, { seed, message: '' }]]);
  return { ...image, next: image.next + 1, snapshots };
}

function without(image: ExpectedImage, numbers: readonly number[]): ExpectedImage {
  const snapshots = new Map([...image.snapshots].filter(([number]) => !numbers.includes(number)));
  return { ...image, snapshots, tags: new Map([...image.tags].filter(([, number]) => snapshots.has(number))) };
}
