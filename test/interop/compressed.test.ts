import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { contentOf, pattern } from '../../src/conformance/device-content.ts';
import { compressible } from '../../src/conformance/image-format-samples.ts';
import { createDisk } from '../../src/image/create-disk.ts';
import { fileInformation, openFileDisk, openWritableDisk } from '../../src/image/file-disk.ts';
import { importDisk } from '../../src/image/import-disk.ts';
import { configureLog } from '../../src/log/log.ts';
import { temporaryStore } from '../store/temporary-store.ts';
import { type ImageDirectory, imageDirectory, qemuImg } from './qemu-images.ts';
import { skipWithout } from './require-tool.ts';

const run = promisify(execFile);
const tools = { gzip: 'gz', xz: 'xz', zstd: 'zst', bzip2: 'bz2' } as const;
type Tool = keyof typeof tools;
const skip = skipWithout(...Object.keys(tools));

/** What a program makes of some bytes, with its own options. */
async function compressed(directory: ImageDirectory, tool: Tool, content: Uint8Array, ...options: string[]) {
  const path = await directory.save('to-compress', content);
  const { stdout } = await run(tool, [...options, '-c', path], { encoding: 'buffer', maxBuffer: 2 ** 26 });
  return stdout;
}

/** What we find in a file; the code of the error where we find none. */
async function found(directory: ImageDirectory, name: string, bytes: Uint8Array): Promise<Uint8Array | string> {
  const path = await directory.save(name, bytes);
  try {
    await using disk = await openFileDisk(path, { unpackDirectory: directory.path('') });
    return await contentOf(disk.device);
  } catch (error) {
    assert.ok((error as Error).message.includes(path), `${error}`);
    return String((error as { code?: string }).code);
  }
}

/** Whether the program itself takes a file, and what it gets out of it. */
async function toolFinds(directory: ImageDirectory, tool: Tool, name: string): Promise<Uint8Array | undefined> {
  const shell = `${tool} -dc < "$0"`;
  try {
    return (await run('sh', ['-c', shell, directory.path(name)], { encoding: 'buffer', maxBuffer: 2 ** 26 })).stdout;
  } catch {
    return undefined;
  }
}

const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
/** Nothing that a format has its magic in, and some that does not compress. */
const text = compressible(900_096, 1);
const noise = pattern(250_368, 2);

describe('compressed disk files', { skip }, () => {
  for (const [tool, ending] of Object.entries(tools) as [Tool, string][]) {
    test(`${tool}: one stream, several, none, and one inside a qcow2 image are read`, async () => {
      await using directory = await imageDirectory();
      const [first, second] = [await compressed(directory, tool, text), await compressed(directory, tool, noise, '-9')];
      const cases = {
        one: [first, text],
        two: [Buffer.concat([first, second, first]), Buffer.concat([text, noise, text])],
      };
      for (const [name, [bytes, expected]] of Object.entries(cases)) {
        const content = await found(directory, `${name}.img.${ending}`, bytes!);
        assert.ok(typeof content !== 'string', `${name}: ${content}`);
        assert.equal(hashOf(content), hashOf(expected!), name);
      }
      assert.equal((await found(directory, 'none', await compressed(directory, tool, new Uint8Array(0)))).length, 0);
    });

    test(`${tool}: what is cut off, damaged or followed by something is taken as the program takes it`, async () => {
      await using directory = await imageDirectory();
      const one = await compressed(directory, tool, noise);
      const two = Buffer.concat([one, await compressed(directory, tool, text)]);
      const flipped = Buffer.from(one);
      flipped[100_000]! ^= 1;
      const cases: Record<string, Uint8Array> = {
        flipped,
        'followed by zeros': Buffer.concat([one, Buffer.alloc(600)]),
        'followed by text': Buffer.concat([one, Buffer.from('Who put this here?')]),
        'followed by a start': Buffer.concat([one, one.subarray(0, 3)]),
      };
      for (const length of [11, 20, 150_000, one.length - 1]) cases[`cut at ${length}`] = one.subarray(0, length);
      for (const length of [5, 1000])
        cases[`cut ${length} before the second's end`] = two.subarray(0, two.length - length);
      for (const [name, bytes] of Object.entries(cases)) {
        const ours = await found(directory, 'case', bytes);
        const theirs = await toolFinds(directory, tool, 'case');
        // gzip warns by a failing status of what follows, and leaves it out all the same.
        const isWarning = tool === 'gzip' && name === 'followed by text';
        if (theirs === undefined && !isWarning) assert.equal(ours, 'CORRUPT', name);
        else assert.equal(hashOf(Buffer.from(ours as Uint8Array)), hashOf(theirs ?? noise), name);
      }
    });

    test(`${tool}: images of other formats are found inside, and info tells of both`, async () => {
      await using directory = await imageDirectory();
      const raw = await directory.save('disk.raw', text);
      await qemuImg('convert', '-f', 'raw', '-O', 'qcow2', raw, directory.path('disk.qcow2'));
      const path = directory.path(`disk.qcow2.${ending}`);
      await writeFile(path, await compressed(directory, tool, await readFile(directory.path('disk.qcow2'))));
      await using disk = await openFileDisk(path);
      assert.equal(disk.information.format, 'qcow2');
      assert.equal(hashOf(await contentOf(disk.device)), hashOf(text));
      const information = await fileInformation(path);
      assert.equal(information.fileSize, (await stat(path)).size);
      assert.ok(information.features?.includes(`compressed by ${tool}`));
      await using asItIs = await openFileDisk(path, { format: 'raw' });
      assert.equal(asItIs.device.size, information.fileSize);
    });

    test(`${tool}: zeros by the million takes no space`, async () => {
      await using directory = await imageDirectory();
      const path = directory.path('zeros');
      await run('sh', ['-c', `head -c ${2 ** 25} /dev/zero | ${tool} > ${path}`]);
      await using disk = await openFileDisk(path, { unpackDirectory: directory.path('') });
      assert.equal(disk.device.size, 2 ** 25);
      const kinds = (await Array.fromAsync(disk.device.extents(0, 2 ** 25))).map((extent) => extent.kind);
      assert.deepEqual(new Set(kinds), new Set(['hole']));
    });
  }

  test('ways to compress that only the program itself knows are UNSUPPORTED, with what to do', async () => {
    await using directory = await imageDirectory();
    const cases = {
      sha: await compressed(directory, 'xz', text, '--check=sha256'),
      branch: await compressed(directory, 'xz', text, '--x86', '--lzma2'),
      // By its name zstd would know how long it is, and that so large a window is of no use.
      long: Buffer.from(
        (await run('sh', ['-c', `zstd --long=30 < ${await directory.save('in', text)} | base64`])).stdout,
        'base64',
      ),
    };
    for (const [name, bytes] of Object.entries(cases)) {
      const path = await directory.save(name, bytes);
      await assert.rejects(openFileDisk(path), { code: 'UNSUPPORTED', message: /unpack it with (xz|zstd) -d/ }, name);
    }
  });

  test('what has to be read or changed as it is, is refused', async () => {
    await using directory = await imageDirectory();
    const path = await directory.save('disk.img.gz', await compressed(directory, 'gzip', text));
    const refused = { code: 'UNSUPPORTED', message: /disk\.img\.gz: it is a gzip-compressed file/ };
    await assert.rejects(openFileDisk(path, { asItIs: true }), refused);
    await assert.rejects(createDisk(directory.path('top.qcow2'), { backing: path }), refused);
    await assert.rejects(openWritableDisk(path), refused);
  });

  test('an import can be stopped, and what was imported is known again without unpacking', async () => {
    await using temporary = await temporaryStore();
    await using directory = await imageDirectory();
    const path = await directory.save('disk.img.xz', await compressed(directory, 'xz', text));
    await utimes(path, 1000, 1000);
    await assert.rejects(importDisk(temporary.store, path, { name: 'web', signal: AbortSignal.abort() }), {
      code: 'ABORTED',
    });
    // What was changed just now is not remembered, as it may change again without it showing.
    await setTimeout(2100);
    const first = await importDisk(temporary.store, path, { name: 'web' });
    assert.equal(first.snapshot.size, text.length);
    assert.equal(first.snapshot.message, 'Imported from disk.img.xz');
    const labels: string[] = [];
    configureLog({ sinks: [{ line() {}, progress: (progress) => labels.push(progress.label), close() {} }] });
    const second = await importDisk(temporary.store, path, { name: 'web', update: true });
    configureLog({});
    assert.deepEqual([second.unchanged, labels], [true, []]);
    const reread = await importDisk(temporary.store, path, { name: 'again', reread: true });
    assert.deepEqual(reread.snapshot.root, first.snapshot.root);
  });
});
