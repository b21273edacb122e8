import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { bundleForBrowsers } from '../../scripts/setup/browser-bundle.mjs';
import { etcCount, osRelease, sampleImages } from '../browser/sample-image.ts';
import { luks1Sample } from '../luks/luks1-sample.ts';
import { createEncrypted } from './qemu-images.ts';
import { skipWithout } from './require-tool.ts';

const run = promisify(execFile);
const size = 128 * 2 ** 20;
const noiseLength = 6 * 2 ** 20;

const images: Readonly<Record<string, readonly string[]>> = {
  raw: ['-O', 'raw'],
  qcow: ['-O', 'qcow'],
  qcow2: ['-c', '-O', 'qcow2', '-o', 'compression_type=zstd'],
  qed: ['-O', 'qed'],
  vdi: ['-O', 'vdi'],
  vhdx: ['-O', 'vhdx'],
  vmdk: ['-O', 'vmdk', '-o', 'subformat=streamOptimized'],
  vpc: ['-O', 'vpc', '-o', 'force_size'],
};

/** What browsers get, run here: whatever it would need of Node fails, but for what both have. */
suite('the bundle for browsers', { skip: skipWithout('mke2fs', 'qemu-img') }, () => {
  let directory = '';
  let contents: Awaited<ReturnType<typeof sampleImages>> = {};
  let varve: typeof import('../../src/browser/index.ts');

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'varve-'));
    const { metafile } = await bundleForBrowsers(join(directory, 'bundle'));
    const imports = Object.values(metafile.outputs).flatMap((output) => output.imports);
    const outside = imports.filter(({ external, path }) => external && path !== '<runtime>');
    assert.deepEqual(outside, [], 'nothing is left to be imported from elsewhere');
    varve = await import(pathToFileURL(join(directory, 'bundle/index.js')).href);
    contents = await sampleImages(size, images, noiseLength);
  });

  after(async () => {
    await rm(directory, { recursive: true, force: true });
  });

  for (const name of Object.keys(images)) {
    test(`reads what is in a ${name} image`, async () => {
      await using disk = await varve.openDisk(new Blob([contents[name]!]));
      assert.equal(disk.device.size, size);
      await using files = await varve.openFiles(disk);
      assert.equal((await files.list('/etc')).length, etcCount);
      assert.equal(new TextDecoder().decode(await files.read('/etc/release')), osRelease);
      assert.equal(await files.readLink('/etc/release'), 'os-release');
      const { byteCount } = disk.fetched;
      assert.ok(byteCount > 0 && byteCount < contents[name]!.length / 4, `${byteCount} bytes`);
    });
  }

  test('a long file comes as a stream, a part of it at once, and a directory as none', async () => {
    await using disk = await varve.openDisk(new Blob([contents.qcow2!]));
    await using files = await varve.openFiles(disk);
    const { stat } = await files.stat('/var/noise');
    const whole = await files.read('/var/noise');
    const pieces = await Array.fromAsync(await files.stream('/var/noise', { offset: 5 }));
    assert.ok(pieces.length > 1);
    assert.equal(whole.length, stat.size);
    assert.equal(Buffer.compare(Buffer.concat(pieces), whole.subarray(5)), 0);
    const part = await files.read('/var/noise', { offset: stat.size - 10, length: 100 });
    assert.deepEqual(part, whole.slice(-10));
    await assert.rejects(files.read('/etc'), { code: 'INVALID', message: /is a directory/ });
    await assert.rejects(files.list('/etc/fstab'), { code: 'INVALID', message: /no directory/ });
    await assert.rejects(files.stat('/etc/none'), { code: 'NOT_FOUND' });
    await assert.rejects(files.read('/etc/fstab', { offset: -1 }), RangeError);
  });

  test('volumes are listed, and how full they are', async () => {
    await using disk = await varve.openDisk(new Blob([contents.vhdx!]));
    const [volume] = await varve.listVolumes(disk);
    assert.equal(volume?.name, '/dev/sda');
    assert.equal(volume?.identity?.type, 'ext4');
    assert.ok(volume?.used !== undefined && volume.used > noiseLength);
  });

  test('a file that an image builds on is asked for, and refused where nobody gives it', async () => {
    const base = join(directory, 'base.qcow2');
    const overlay = join(directory, 'overlay.qcow2');
    await writeFile(base, contents.qcow2!);
    await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', 'base.qcow2', '-F', 'qcow2', overlay]);
    const blob = new Blob([await readFile(overlay)]);
    await assert.rejects(varve.openDisk(blob), { code: 'PERMISSION', message: /needs "base.qcow2", too/ });
    const openFile = async (name: string) => (name === 'base.qcow2' ? new Blob([contents.qcow2!]) : undefined);
    await using disk = await varve.openDisk(blob, { openFile });
    await using files = await varve.openFiles(disk);
    assert.equal(new TextDecoder().decode(await files.read('/etc/os-release')), osRelease);
  });

  test('a chain of images that has no end is given up', async () => {
    const ring = join(directory, 'ring.qcow2');
    await run('qemu-img', ['create', '-q', '-u', '-f', 'qcow2', '-b', 'ring.qcow2', '-F', 'qcow2', ring, '1M']);
    const blob = new Blob([await readFile(ring)]);
    await assert.rejects(varve.openDisk(blob, { openFile: async () => blob }), { code: 'UNSUPPORTED' });
  });

  test('what is encrypted is refused by name', async (t) => {
    const image = join(directory, 'secret.qcow2');
    const secret = ['--object', 'secret,id=key,data=passphrase'];
    const luks = 'encrypt.format=luks,encrypt.key-secret=key,encrypt.iter-time=10';
    if (!(await createEncrypted(t, image, ...secret, '-o', luks, image, '1M'))) return;
    const refusal = { code: 'UNSUPPORTED', message: /no encryption is read in a browser/ };
    await assert.rejects(varve.openDisk(new Blob([await readFile(image)])), refusal);
    const key = new Uint8Array(64).fill(1);
    const sample = { passphrase: 'x', key, cipherMode: 'xts-plain64', hashSpec: 'sha256', slot: 0 };
    const volume = new Uint8Array(4 * 2 ** 20);
    volume.set(luks1Sample(sample));
    await using disk = await varve.openDisk(new Blob([volume]));
    await assert.rejects(varve.openFiles(disk), refusal);
  });

  for (const method of ['gzip', 'xz', 'zstd', 'lz4', 'lzo']) {
    test(`reads squashfs packed by ${method}`, { skip: skipWithout('mksquashfs') }, async () => {
      const [tree, file] = [join(directory, `tree-${method}`), join(directory, `${method}.squashfs`)];
      await mkdir(tree);
      const text = 'the same again and again\n'.repeat(20_000);
      await writeFile(join(tree, 'text'), text);
      await run('mksquashfs', [tree, file, '-comp', method, '-quiet', '-no-progress']);
      await using disk = await varve.openDisk(new Blob([await readFile(file)]));
      await using files = await varve.openFiles(disk);
      assert.equal(new TextDecoder().decode(await files.read('/text')), text);
    });
  }
});
