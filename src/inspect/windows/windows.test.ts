import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { run, sampleImage } from '../../../test/filesystem/sample-image.ts';
import { guestOf, type RootFile, writeRoot } from '../../../test/inspect/guest-root.ts';
import { minimalHive } from '../../../test/inspect/minimal-hive.ts';
import { skipWithout } from '../../../test/interop/require-tool.ts';
import { gptDisk } from '../../../test/partition/partitioned-disk.ts';
import { VarveError } from '../../base/varve-error.ts';
import { memoryDevice } from '../../block/memory-device.ts';
import { openGuest } from '../../guest/open-guest.ts';
import { inspectionJson } from '../documents/inspection-json.ts';
import { virtInspectorXml } from '../documents/virt-inspector-xml.ts';
import { inspectGuest } from '../inspect-guest.ts';
import { openHive, type RegistryKey } from './registry-hive.ts';
import { windowsFacts } from './windows-system.ts';

const skip = skipWithout('mke2fs', 'mkfs.fat', 'mcopy', 'hivexregedit');

type Keys = Readonly<Record<string, Readonly<Record<string, string | number>>>>;

const software: Keys = {
  'Microsoft\\Windows NT\\CurrentVersion': {
    ...{ ProductName: 'Windows 10 Pro', CurrentVersion: '6.3', CurrentBuildNumber: '22631', DisplayVersion: '23H2' },
    ...{ CurrentMajorVersionNumber: 10, CurrentMinorVersionNumber: 0, InstallationType: 'Client' },
  },
  'Microsoft\\Windows\\CurrentVersion\\Uninstall\\Git_is1': {
    ...{ DisplayName: 'Git', DisplayVersion: '2.43.0', Publisher: 'The Git Development Community' },
    ...{ EstimatedSize: 1000, InstallDate: '20240131', URLInfoAbout: 'https://gitforwindows.org/' },
  },
  'Microsoft\\Windows\\CurrentVersion\\Uninstall\\hidden': { DisplayName: 'Part of Windows', SystemComponent: 1 },
  'Microsoft\\Windows\\CurrentVersion\\Uninstall\\nameless': { DisplayVersion: '1' },
  'Wow6432Node\\Microsoft\\Windows\\CurrentVersion\\Uninstall\\{GUID}': { DisplayName: 'Ünï 32' },
};
const system: Keys = {
  Select: { Current: 2 },
  'ControlSet001\\Services\\Tcpip\\Parameters': { Hostname: 'OLD' },
  'ControlSet002\\Services\\Tcpip\\Parameters': { Hostname: 'DESKTOP-1' },
  'ControlSet002\\Control\\TimeZoneInformation': { TimeZoneKeyName: 'W. Europe Standard Time' },
  'ControlSet002\\Services\\sshd': { Start: 2, Type: 16, DisplayName: 'OpenSSH SSH Server' },
  'ControlSet002\\Services\\Spooler': { Start: 2, Type: 0x110, DisplayName: '@%systemroot%\\x.dll,-1' },
  'ControlSet002\\Services\\disk': { Start: 2, Type: 1 },
  'ControlSet002\\Services\\manual': { Start: 3, Type: 16 },
};

/** A hive as hivexregedit fills it. */
function filledHive(keys: Keys, directory: string): Buffer {
  const path = join(directory, 'hive');
  fs.writeFileSync(path, minimalHive());
  const all = new Map<string, Readonly<Record<string, string | number>>>();
  for (const [key, values] of Object.entries(keys)) {
    const names = key.split('\\');
    for (let length = 1; length < names.length; length++) {
      const parent = names.slice(0, length).join('\\');
      if (!all.has(parent)) all.set(parent, {});
    }
    all.set(key, values);
  }
  const sections = [...all].map(([key, values]) => {
    const lines = Object.entries(values).map(([name, value]) =>
      typeof value === 'number'
        ? `"${name}"=dword:${value.toString(16).padStart(8, '0')}`
        : `"${name}"="${value.replace(/\\/g, '\\\\')}"`,
    );
    return `[\\${key}]\n${lines.join('\n')}\n`;
  });
  const input = `Windows Registry Editor Version 5.00\n\n${sections.join('\n')}\n`;
  // It takes bytes for characters.
  execFileSync('hivexregedit', ['--merge', path], { input: Buffer.from(input, 'latin1'), stdio: 'pipe' });
  return fs.readFileSync(path);
}

/** The start of a program for x86-64. */
function program(): Buffer {
  const bytes = Buffer.alloc(512);
  bytes.write('MZ');
  bytes.writeUInt32LE(0x80, 0x3c);
  bytes.write('PE', 0x80);
  bytes.writeUInt16LE(0x8664, 0x84);
  return bytes;
}

describe('windowsFacts', { skip }, () => {
  const directory = fs.mkdtempSync(join(tmpdir(), 'varve-'));
  let hives: { software: Buffer; system: Buffer };
  before(() => {
    hives = { software: filledHive(software, directory), system: filledHive(system, directory) };
  });
  after(() => fs.rmSync(directory, { recursive: true, force: true }));

  const files = () => ({
    '/Windows/System32/config/SOFTWARE': hives.software,
    '/Windows/System32/config/SYSTEM': hives.system,
    '/Windows/System32/cmd.exe': program(),
  });

  test('reads what the registry says, on a file system that knows no upper and lower case', async (t) => {
    const open = await sampleImage(64 << 20, async (image, work) => {
      writeRoot(work, files());
      await run('mkfs.fat', ['-F', '32', image]);
      await run('mcopy', ['-s', '-i', image, join(work, 'Windows'), '::/WINDOWS']);
    });
    await using device = open();
    await using guest = await openGuest(device, { name: 'guest' });
    const inspection = await inspectGuest(guest);
    t.diagnostic(`${inspection.packages.length} programs`);
    // biome-ignore lint/suspicious/noExplicitAny: looks at whatever is there
    const found = JSON.parse(JSON.stringify(inspectionJson(inspection))) as any;
    assert.deepEqual(
      [found.name, found.productName, found.version, found.codename, found.variant, found.architecture],
      ['windows', 'Windows 11 Pro', '10.0.22631', '23H2', 'Client', 'x86_64'],
    );
    assert.deepEqual([found.hostname, found.timezone], ['DESKTOP-1', 'W. Europe Standard Time']);
    assert.deepEqual(
      found.services.map(({ name, description }: { name: string; description?: string }) => [name, description]),
      [
        ['Spooler', undefined],
        ['sshd', 'OpenSSH SSH Server'],
      ],
    );
    assert.deepEqual(found.packages, [
      {
        ...{ format: 'windows', name: 'Git_is1', displayName: 'Git', fullVersion: '2.43.0', version: '2.43.0' },
        ...{ state: 'installed', size: 1_024_000, installed: '2024-01-31T00:00:00.000Z' },
        ...{ vendor: 'The Git Development Community', url: 'https://gitforwindows.org/' },
      },
      { format: 'windows', name: '{GUID}', displayName: 'Ünï 32', fullVersion: '', version: '', state: 'installed' },
    ]);
    const xml = virtInspectorXml(inspection);
    for (const part of [
      '<osinfo>win11</osinfo>',
      '<windows_systemroot>/Windows</windows_systemroot>',
      '<display_name>Git</display_name>',
      '<publisher>The Git Development Community</publisher>',
    ]) {
      assert.ok(xml.includes(part), part);
    }
  });

  test('is found on whichever partition it is', async () => {
    const fat = async (directoryName: string, content: Readonly<Record<string, RootFile>>) => {
      const open = await sampleImage(16 << 20, async (image, work) => {
        writeRoot(work, content);
        await run('mkfs.fat', [image]);
        await run('mcopy', ['-s', '-i', image, join(work, directoryName), '::/']);
      });
      await using device = open();
      const bytes = new Uint8Array(device.size);
      await device.read(bytes, 0);
      return bytes;
    };
    const disk = gptDisk(70_000, [
      { number: 1, first: 2048, last: 2048 + 32767 },
      { number: 2, first: 34816, last: 34816 + 32767 },
    ]);
    disk.set(await fat('EFI', { '/EFI/Microsoft/Boot/bootmgfw.efi': '' }), 2048 * 512);
    disk.set(await fat('Windows', files()), 34816 * 512);
    await using device = memoryDevice(disk);
    await using guest = await openGuest(device, { name: 'guest' });
    assert.equal((await windowsFacts(guest.tree))?.hostname?.value, 'DESKTOP-1');
  });

  test('says that a hive has changes in its logs, and does without one that is damaged', async (t) => {
    const dirty = Buffer.from(hives.software);
    dirty.writeUInt32LE(7, 4);
    const guest = await guestOf(t, { ...files(), '/Windows/System32/config/SOFTWARE': dirty });
    const messages: string[] = [];
    const found = await windowsFacts(guest.tree, ({ message }) => messages.push(message));
    assert.equal(found?.productName?.value, 'Windows 11 Pro');
    assert.match(messages.join('\n'), /SOFTWARE has changes in its logs that are not read/);
    const broken = await guestOf(t, { ...files(), '/Windows/System32/config/SYSTEM': 'x'.repeat(600) });
    const rest = await windowsFacts(broken.tree, ({ message }) => messages.push(message));
    assert.deepEqual([rest?.hostname, rest?.services, rest?.packages.length], [undefined, [], 2]);
    assert.match(messages.join('\n'), /SYSTEM is no hive of a registry/);
  });

  test('a hive with many keys is read, also by a list of lists', async (t) => {
    const names = Array.from({ length: 1200 }, (_, index) => `key ${String(index).padStart(4, '0')}`);
    const keys = Object.fromEntries(names.map((name) => [`parent\\${name}`, { number: name.length }]));
    const hive = filledHive(keys, directory);
    for (const bytes of [hive, withListOfLists(hive, 'parent')]) {
      assert.deepEqual((await allKeys(t, bytes)).keys.toSorted(), ['parent', ...names].toSorted());
    }
  });

  test('a damaged hive is read to an end, or said to be damaged', async (t) => {
    const change = fc.tuple(fc.nat(hives.system.length - 1), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 6 }), async (changes) => {
        const bytes = Buffer.from(hives.system);
        for (const [at, value] of changes) bytes[at] = value;
        await allKeys(t, bytes).catch((error) => {
          if (!(error instanceof VarveError)) throw error;
        });
      }),
      { numRuns: 20 },
    );
  });
});

/** A hive in which a key's list of keys is one of a list of one. */
function withListOfLists(hive: Buffer, name: string): Buffer {
  const bin = Buffer.alloc(4096);
  bin.write('hbin');
  bin.writeInt32LE(-12, 32);
  bin.write('ri', 36);
  bin.writeUInt16LE(1, 38);
  const key = hive.indexOf(name) - 76;
  bin.writeUInt32LE(hive.readUInt32LE(key + 28), 40);
  const changed = Buffer.concat([hive, bin]);
  changed.writeUInt32LE(hive.length - 4096 + 32, key + 28);
  return changed;
}

/** All keys of a hive down to the second level, and their values read. */
async function allKeys(t: TestContext, bytes: Buffer): Promise<{ keys: string[] }> {
  const guest = await guestOf(t, { '/hive': bytes });
  const hive = await openHive(await guest.tree.resolve('/hive'));
  const keys: string[] = [];
  const visit = async (key: RegistryKey, depth: number): Promise<void> => {
    keys.push(key.name);
    await hive.values(key);
    if (depth < 2) for await (const each of hive.subkeys(key)) await visit(each, depth + 1);
  };
  for (const name of ['parent', 'Select', 'ControlSet002']) {
    const key = await hive.find(name);
    if (key !== undefined) await visit(key, 1);
  }
  return { keys };
}
