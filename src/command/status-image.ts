import { formatSize } from '../base/size.ts';
import { overlayStatus } from '../image/overlay-status.ts';
import type { Image } from '../store/image-table.ts';
import type { Lease } from '../store/lease.ts';
import type { Store } from '../store/store.ts';
import { askHolder } from './framework/ask-holder.ts';
import type { CommandContext } from './framework/command-context.ts';
import { formatFields } from './output/format-fields.ts';
import { localTime } from './output/local-time.ts';
import { plural } from './output/plural.ts';

interface Status {
  readonly baseNumber?: number | undefined;
  readonly changedBytes: number;
  readonly storedBytes: number;
  readonly pending: readonly { readonly number: number }[];
  readonly clientCount?: number;
}

/** `varve status IMAGE`: what of it is in no snapshot, and who has it open. */
export async function showImageStatus(context: CommandContext, store: Store, name: string): Promise<void> {
  const image = store.images.get(name);
  const writer = store.leases.writerOf(image.id, '');
  const held = (await askHolder(store, name, { method: 'GET', action: '' })) as Status | undefined;
  const status: Status = held ?? (await overlayStatus(store, image.id));
  const newest = store.images.snapshots(name).at(-1)?.number;
  const value = {
    ...{ image: image.name, base: status.baseNumber ?? newest, changedBytes: status.changedBytes },
    ...{ overlayBytes: status.storedBytes, pending: status.pending.map(({ number }) => number) },
    holder: writer === undefined ? null : holderJson(writer, status),
  };
  context.show(value, () => statusText(image, status, writer, newest));
}

function holderJson({ pid, purpose, created }: Lease, { clientCount }: Status): object {
  return { pid, purpose, since: new Date(created).toISOString(), ...(clientCount !== undefined && { clientCount }) };
}

function statusText(image: Image, status: Status, writer: Lease | undefined, newest: number | undefined): string {
  const { baseNumber = newest, changedBytes, clientCount, pending, storedBytes } = status;
  return formatFields([
    ['Image', image.name],
    ['Snapshot', `${image.name}@${baseNumber}`],
    ['Changes', changedBytes === 0 ? 'none since' : `${formatSize(changedBytes)} uncommitted`],
    ['Overlay', storedBytes === 0 ? undefined : `${formatSize(storedBytes)} on disk`],
    ...pending.map(({ number }): [string, string] => ['Being stored', `${image.name}@${number}`]),
    ['In use', writer && `${writer.purpose} (process ${writer.pid}, since ${localTime(writer.created)})`],
    ['Clients', clientCount === undefined ? undefined : plural(clientCount, 'client')],
  ]);
}
