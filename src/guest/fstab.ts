/** A line of a guest's fstab. Source: fstab(5). */
export interface FstabEntry {
  /** `UUID=…`, `LABEL=…`, `/dev/sda1` … */
  readonly device: string;
  /** `/boot`; `none` for swap. */
  readonly directory: string;
  readonly type: string;
  /** Which part of the file system is meant, where the options say so. */
  readonly subvolume?: FstabSubvolume | undefined;
}

/** What `subvol=` and `subvolid=` say. Source: btrfs(5), mount options. */
export interface FstabSubvolume {
  readonly path?: string;
  readonly id?: number;
}

/** The entries of an fstab, in order; lines that are none are left out. */
export function parseFstab(text: string): FstabEntry[] {
  return text.split('\n').flatMap((line) => {
    const [device, directory, type, options = ''] = line
      .trim()
      .split(/[ \t]+/)
      .map(unescaped);
    if (!device || device.startsWith('#') || !directory || !type) return [];
    return [{ device: unquoted(device), directory, type, subvolume: subvolumeIn(options) }];
  });
}

function subvolumeIn(options: string): FstabSubvolume | undefined {
  let subvolume: FstabSubvolume | undefined;
  for (const option of options.split(',')) {
    const [, name, value] = /^(subvol|subvolid)=(.+)$/.exec(option) ?? [];
    if (value === undefined) continue;
    subvolume = { ...subvolume, ...(name === 'subvol' ? { path: value } : { id: Number(value) }) };
  }
  return subvolume;
}

/** Spaces and the like are written as three octal digits. */
function unescaped(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

function unquoted(device: string): string {
  return device.replace(/^([A-Z]+=)"(.*)"$/, '$1$2');
}

/** What an fstab entry's device is called, taken apart: `{key: 'UUID', value: '…'}`, or a path under the key `path`. */
export function deviceName(device: string): { readonly key: string; readonly value: string } {
  const [, key, value] = /^(UUID|LABEL|PARTUUID|PARTLABEL)=(.*)$/.exec(device) ?? [];
  if (key !== undefined) return { key, value: value! };
  const [, directory, name] = /^\/dev\/disk\/by-(uuid|label|partuuid|partlabel)\/(.*)$/.exec(device) ?? [];
  return directory === undefined ? { key: 'path', value: device } : { key: directory.toUpperCase(), value: name! };
}
