import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryDevice } from '../../src/block/memory-device.ts';
import { findGuestVolumes } from '../../src/guest/volume-tree.ts';
import { expectedOfBlkid, sampleNames, skipSamples, unpackedSample } from './blkid-sample.ts';

/** Samples that are called otherwise than by blkid, and why. */
const otherTypes: Readonly<Record<string, string>> = {
  'jmicron-raid': 'its mark has two bytes',
  'silicon-raid': 'its mark is a small number',
  'via-raid': 'its mark has two bytes',
  'minix-BE': 'its mark has two bytes',
  'minix-LE': 'its mark has two bytes',
  tuxonice: 'a swap space in which a system sleeps by a way of the past is a swap space',
  udf: 'a disc with both is read as ISO 9660',
  'udf-cd-nero-6': 'a disc with both is read as ISO 9660',
  'udf-multi-0-417-834-genisoimage': 'a disc with both is read as ISO 9660',
};

/** Samples whose labels are others than blkid's, and why. */
const otherLabels: Readonly<Record<string, string>> = {
  fat32_cp850_O_tilde: 'names that are no ASCII are those of code page 437',
  fat32_mkdosfs_label1_dosfslabel_NO_NAME: 'NO NAME is what programs write for none',
  fat32_mkdosfs_label1_mlabel_NO_NAME: 'NO NAME is what programs write for none',
  fat32_mkdosfs_label1_xp_erase: 'the label of the boot sector counts where the directory has none',
  fat32_mkdosfs_none_dosfslabel_label1: 'the label of the boot sector counts where the directory has none',
  fat32_xp_none_dosfslabel_label1: 'the label of the boot sector counts where the directory has none',
  'iso-unicode-long-label': 'the label of the primary descriptor counts, which has 32 letters',
};

/** What blkid finds that is told by its mark alone: whose UUID and label are not looked for. */
const markOnly = new Set(['befs', 'ddf-raid', 'drbd-v08', 'drbd-v09', 'drbdmanage-control-volume', 'hfs', 'hfsplus']);
const markOnlyToo = ['hpfs', 'netware', 'ubi', 'ufs', 'vmfs', 'vmfs_volume', 'zfs'];
for (const name of markOnlyToo) markOnly.add(name);

test("util-linux's samples for blkid are told apart as blkid does", { skip: skipSamples }, async () => {
  const names = await sampleNames('fs');
  assert.ok(names.length > 100);
  const wrong: string[] = [];
  for (const name of names) {
    const expected = await expectationOf(name);
    const bytes = await unpackedSample('fs', name);
    const device = memoryDevice(bytes.length, { readOnly: false });
    await device.write(bytes, 0);
    const [{ identity } = { identity: undefined }] = await findGuestVolumes(device, { name });
    const { label, type, uuid } = identity ?? {};
    const isOther = name in otherTypes;
    if ((type === expected.TYPE) === isOther) wrong.push(`${name}: ${type}, not ${expected.TYPE}`);
    if (isOther || markOnly.has(name) || expected.TYPE === 'udf') continue;
    if (uuid !== expected.UUID) wrong.push(`${name}: UUID ${uuid}, not ${expected.UUID}`);
    if ((label === expected.LABEL) === name in otherLabels)
      wrong.push(`${name}: label ${label}, not ${expected.LABEL}`);
  }
  assert.deepEqual(wrong, []);
});

/** What blkid finds in a sample; of a disc with several sessions in the first one. */
async function expectationOf(name: string): Promise<Readonly<Record<string, string | undefined>>> {
  const [, kind, first, program] = /^(\w+-multi)-(\d+)-\d+-\d+-(\w+)$/.exec(name) ?? [];
  const file = kind === undefined ? name : `${kind}-${program}-${first}`;
  const text = await expectedOfBlkid(`low-probe-${file}`);
  const found = new Map([...text.matchAll(/^ID_FS_(\w+)=(.*)$/gm)].map(([, key, value]) => [key, value]));
  // Beside a text that is fit for a name stands the whole one.
  return { TYPE: found.get('TYPE'), UUID: found.get('UUID'), LABEL: decoded(found.get('LABEL_ENC')) };
}

function decoded(text: string | undefined): string | undefined {
  return text?.replace(/(?:\\x[0-9a-f]{2})+/g, (bytes) => Buffer.from(bytes.replaceAll('\\x', ''), 'hex').toString());
}
