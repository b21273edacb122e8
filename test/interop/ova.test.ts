import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { openFileDevice } from '../../src/block/file-device.ts';
import { assertEqualBytes, contentOf } from '../../src/conformance/device-content.ts';
import { mixedDisk } from '../../src/conformance/image-format-samples.ts';
import { openImage } from '../../src/format/formats.ts';
import { imageDirectory, qemuImg } from './qemu-images.ts';
import { skipWithout } from './require-tool.ts';

const skip = skipWithout('qemu-img', 'tar');
const longName = `${'appliance-'.repeat(14)}disk1.vmdk`;

function descriptor(href: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1">
  <References><File ovf:href="${href}" ovf:id="file1" ovf:size="1"/></References>
  <DiskSection><Info>Disks</Info><Disk ovf:capacity="5" ovf:capacityAllocationUnits="byte * 2^20" ovf:diskId="vmdisk1"
    ovf:fileRef="file1" ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"/>
  </DiskSection>
</Envelope>
`;
}

for (const [kind, disk] of [
  ['ustar', 'disk1.vmdk'],
  ['pax', longName],
  ['gnu', longName],
] as const) {
  test(`an appliance that tar made, ${kind}, holds the disk that qemu-img made`, { skip }, async () => {
    await using directory = await imageDirectory();
    const source = mixedDisk(5 * 2 ** 20);
    const raw = await directory.save('disk.raw', source);
    await qemuImg('convert', '-O', 'vmdk', '-o', 'subformat=streamOptimized', raw, directory.path(disk));
    await writeFile(directory.path('appliance.ovf'), descriptor(disk));
    const path = directory.path('appliance.ova');
    execFileSync('tar', [`--format=${kind}`, '-cf', path, 'appliance.ovf', disk], { cwd: directory.path('.') });
    await using opened = await openImage(await openFileDevice(path, { readOnly: true }), { name: path });
    assert.equal(opened.format, 'ova');
    assertEqualBytes(await contentOf(opened), await contentOf(source), 'the disk');
  });
}
