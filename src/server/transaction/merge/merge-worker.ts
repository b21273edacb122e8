/*
 * A process in a mount namespace of its own, that mounts file systems of a disk which its parent serves, and changes their
 * files: nobody else sees the mounts, and they go with it. It ends when its parent does.
 */
import { setTimeout } from 'node:timers/promises';
import { isVarveError, VarveError } from '../../../base/varve-error.ts';
import { treeOf } from '../../../changes/merge/link-names.ts';
import type { VolumePlan } from '../../../changes/merge/plan-merge.ts';
import { openVolume } from '../../../guest/guest-volume.ts';
import { findGuestVolumes } from '../../../guest/volume-tree.ts';
import { openDisk } from '../../../image/open-disk.ts';
import { attachLoop, loopsOf } from '../../../linux/loop-device.ts';
import { unmountFileSystem } from '../../../linux/mount.ts';
import { runMount } from '../../attach/run-mount.ts';
import { applySteps } from './apply-steps.ts';
import type { MergeAnswer, MergeOrder } from './merge-elsewhere.ts';

/** The kernel lets go of a loop device a little after the file system that was on it. */
const loopAttempts = 200;
const loopPauseMs = 10;

process.once('message', (order: MergeOrder) => void obey(order));
process.once('disconnect', () => process.exit(1));

async function obey(order: MergeOrder): Promise<void> {
  try {
    for (const plan of order.plans) await mergeVolume(order, plan);
    for (let attempt = 0; attempt < loopAttempts && loopsOf(order.path).length > 0; attempt++)
      await setTimeout(loopPauseMs);
    answer({ kind: 'done' });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    answer({ kind: 'failed', message, code: isVarveError(error) ? error.code : undefined });
  }
}

async function mergeVolume({ directory, name, path, source }: MergeOrder, plan: VolumePlan): Promise<void> {
  await using disk = await openDisk(source, { format: 'raw' });
  const volumes = await findGuestVolumes(disk.device, { name });
  const volume = volumes.find((each) => each.name === plan.volume);
  await using fileSystem = volume && (await openVolume(volume, name));
  if (!fileSystem) throw new VarveError('CORRUPT', `cannot merge ${name}: there is no ${plan.volume} any more`);
  const { length, offset, type } = plan;
  await using loop = await attachLoop(path, { offset, length, autoClear: true });
  const options = ['nodev', 'nosuid', 'noexec', 'noatime', ...(type === 'xfs' ? ['nouuid'] : [])].join(',');
  await runMount({ source: loop.path, target: directory, type, options, readOnly: false });
  try {
    await applySteps(directory, treeOf(fileSystem, name), plan.steps);
  } finally {
    await unmountFileSystem(directory);
  }
}

function answer(message: MergeAnswer): void {
  process.removeAllListeners('disconnect');
  process.send?.(message, undefined, undefined, () => process.disconnect());
}
