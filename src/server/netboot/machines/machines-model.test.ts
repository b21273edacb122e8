import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { assertClean, importDisk, readSnapshot, temporaryStore } from '../../../../test/store/temporary-store.ts';
import { isVarveError } from '../../../base/varve-error.ts';
import { assertEqualBytes, contentOf, pattern } from '../../../conformance/device-content.ts';
import { collectGarbage } from '../../../store/collect-garbage.ts';
import type { Store } from '../../../store/store.ts';
import { Machines } from './machines.ts';

const size = 3 * 65536 + 1536;
const macs = ['52-54-00-00-00-01', '52-54-00-00-00-02', '52-54-00-00-00-03'] as const;
const imageNames = ['web', 'db'] as const;
type ImageName = (typeof imageNames)[number];
type Policy = 'discard' | 'keep';

/** An overlay: what the disk holds, and the index of the snapshot below it. */
interface ModelOverlay {
  content: Uint8Array;
  base: number;
}

/** A machine as plain arrays. */
interface ModelMachine {
  boot: { readonly image: ImageName; readonly policy: Policy } | undefined;
  readonly kept: Map<ImageName, ModelOverlay>;
  thrown: { readonly image: ImageName; readonly overlay: ModelOverlay } | undefined;
  next: ImageName | undefined;
}

/** What should be: the snapshots of each image, and each machine. */
class Model {
  readonly images = new Map<ImageName, Uint8Array[]>();
  readonly machines = macs.map(
    (): ModelMachine => ({ boot: undefined, kept: new Map(), thrown: undefined, next: undefined }),
  );

  overlayOf({ boot, kept, thrown }: ModelMachine): ModelOverlay | undefined {
    if (boot === undefined) return undefined;
    return boot.policy === 'keep' ? kept.get(boot.image) : thrown?.overlay;
  }

  begin(machine: ModelMachine, asked: ImageName, policy: Policy): void {
    const image = machine.next ?? asked;
    machine.next = undefined;
    machine.thrown = undefined;
    const snapshots = this.images.get(image)!;
    const fresh = { content: snapshots.at(-1)!.slice(), base: snapshots.length - 1 };
    if (policy === 'discard') machine.thrown = { image, overlay: fresh };
    else if (!machine.kept.has(image)) machine.kept.set(image, fresh);
    machine.boot = { image, policy };
  }
}

const machineIndex = fc.nat({ max: macs.length - 1 });
const imageName = fc.constantFrom(...imageNames);
const operation = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('begin' as const),
      machine: machineIndex,
      image: imageName,
      policy: fc.constantFrom('discard' as const, 'keep' as const),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      machine: machineIndex,
      offset: fc.nat({ max: size - 1 }),
      length: fc.integer({ min: 1, max: 70_000 }),
      seed: fc.nat({ max: 250 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('trim' as const),
      machine: machineIndex,
      offset: fc.nat({ max: size - 1 }),
      length: fc.integer({ min: 1, max: 70_000 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('commit' as const),
      machine: machineIndex,
      image: imageName,
      force: fc.boolean(),
      isOpen: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reset' as const), machine: machineIndex }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('next' as const), machine: machineIndex, image: imageName }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('open again' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('collect' as const) }) },
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

/** The machines, and what they should be. */
class Pair implements AsyncDisposable {
  readonly #store: Store;
  readonly #model = new Model();
  #machines!: Machines;

  private constructor(store: Store) {
    this.#store = store;
  }

  static async open(store: Store): Promise<Pair> {
    const pair = new Pair(store);
    for (const [index, name] of imageNames.entries()) {
      const content = new Uint8Array(pattern(size, index + 1));
      await importDisk(store, name, content);
      pair.#model.images.set(name, [content]);
    }
    pair.#machines = await Machines.open(store, undefined);
    return pair;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#machines[Symbol.asyncDispose]();
  }

  async perform(op: Operation): Promise<void> {
    switch (op.kind) {
      case 'begin':
        return await this.#begin(op);
      case 'write':
        return await this.#change(op.machine, op, pattern(op.length, op.seed));
      case 'trim':
        return await this.#change(op.machine, op, undefined);
      case 'commit':
        return await this.#commit(op);
      case 'reset':
        return await this.#reset(op.machine);
      case 'next':
        this.#model.machines[op.machine]!.next = op.image;
        return await this.#machines.setNext(macs[op.machine]!, op.image);
      case 'open again':
        await this.#machines[Symbol.asyncDispose]();
        this.#machines = await Machines.open(this.#store, undefined);
        return;
      case 'collect':
        await collectGarbage(this.#store);
    }
  }

  async check(): Promise<void> {
    for (const [index, machine] of this.#model.machines.entries()) {
      const expected = this.#model.overlayOf(machine);
      const entry = await this.#machines.exports.find(macs[index]!);
      assert.equal(entry !== undefined, expected !== undefined, `${macs[index]} has a disk`);
      if (expected === undefined) continue;
      const disk = await entry!.connect();
      assertEqualBytes(await contentOf(disk.device), expected.content, `the disk of ${macs[index]}`);
      await disk[Symbol.asyncDispose]?.();
    }
    for (const [name, snapshots] of this.#model.images) {
      for (const [index, content] of snapshots.entries()) {
        assertEqualBytes(await readSnapshot(this.#store, `${name}@${index + 1}`), content, `${name}@${index + 1}`);
      }
    }
    await assertClean(this.#store);
  }

  async #begin({ image, machine: index, policy }: Operation & { readonly kind: 'begin' }): Promise<void> {
    const machine = this.#model.machines[index]!;
    this.#model.begin(machine, image, policy);
    const boot = await this.#machines.begin({ mac: macs[index]!, entry: 'a', image, overlay: policy });
    assert.deepEqual([boot.image, boot.number - 1], [machine.boot!.image, this.#model.overlayOf(machine)!.base]);
    // Somebody connects, so that asking again is another boot.
    await (await (await this.#machines.exports.find(macs[index]!))!.connect())[Symbol.asyncDispose]?.();
  }

  async #change(
    index: number,
    { length, offset }: { readonly offset: number; readonly length: number },
    bytes: Uint8Array | undefined,
  ): Promise<void> {
    const overlay = this.#model.overlayOf(this.#model.machines[index]!);
    if (overlay === undefined) return;
    const end = Math.min(size, offset + length);
    if (bytes === undefined) overlay.content.fill(0, offset, end);
    else overlay.content.set(bytes.subarray(0, end - offset), offset);
    const disk = await (await this.#machines.exports.find(macs[index]!))!.connect();
    if (bytes === undefined) await disk.device.zero(offset, end - offset);
    else await disk.device.write(bytes.subarray(0, end - offset), offset);
    await disk[Symbol.asyncDispose]?.();
  }

  async #commit({ force, image, isOpen, machine: index }: Operation & { readonly kind: 'commit' }): Promise<void> {
    const { boot } = this.#model.machines[index]!;
    const overlay = this.#model.overlayOf(this.#model.machines[index]!);
    if (overlay === undefined || boot === undefined) return;
    const snapshots = this.#model.images.get(image)!;
    const isOwn = boot.image === image;
    const disk = isOpen ? await (await this.#machines.exports.find(macs[index]!))!.connect() : undefined;
    const committing = this.#machines.commit({ machine: macs[index]!, image, force });
    // That of another image which was made of this boot is no conflict: it is always forced here.
    if (!force && isOwn && overlay.base !== snapshots.length - 1) {
      await assert.rejects(committing, (error) => isVarveError(error, 'CONFLICT'));
    } else if (isOwn || force) {
      const isSame = isOwn && Buffer.compare(overlay.content, snapshots[overlay.base]!) === 0;
      const { snapshot } = await committing;
      assert.equal(snapshot?.number, isSame ? undefined : snapshots.length + 1);
      if (!isSame) snapshots.push(overlay.content.slice());
      if (!isSame && isOwn) overlay.base = snapshots.length - 1;
    } else await this.#foreign(committing, snapshots, overlay);
    await disk?.[Symbol.asyncDispose]?.();
  }

  /** To an image that the machine does not run from: a conflict, unless the newest snapshot there is of this very boot. */
  async #foreign(
    committing: ReturnType<Machines['commit']>,
    snapshots: Uint8Array[],
    overlay: ModelOverlay,
  ): Promise<void> {
    try {
      assert.equal((await committing).snapshot?.number, snapshots.length + 1);
      snapshots.push(overlay.content.slice());
    } catch (error) {
      assert.ok(isVarveError(error, 'CONFLICT'), String(error));
    }
  }

  async #reset(index: number): Promise<void> {
    const machine = this.#model.machines[index]!;
    if (machine.boot === undefined) return;
    const { image } = machine.boot;
    machine.kept.delete(image);
    if (machine.thrown?.image === image) machine.thrown = undefined;
    machine.boot = undefined;
    assert.deepEqual(await this.#machines.reset(macs[index]!), [image]);
  }
}

test('machines hold what plain arrays do, whatever is booted, written, committed and dropped', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { minLength: 4, maxLength: 25 }), async (operations) => {
      await using temporary = await temporaryStore();
      await using pair = await Pair.open(temporary.store);
      for (const each of operations) await pair.perform(each);
      await pair.check();
    }),
    { numRuns: Number(process.env.VARVE_MACHINE_RUNS ?? 25) },
  );
});
