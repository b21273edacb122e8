import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ipxeAsk, ipxeEntry, ipxeFailure, ipxeMenu } from '../../src/server/netboot/menus/ipxe-script.ts';
import { parseRoom } from '../../src/server/netboot/room/parse-room.ts';
import { settingsOf } from '../../src/server/netboot/room/settings-of.ts';
import { requireTool } from './require-tool.ts';
import { type ScreenMachine, startScreenMachine } from './screen-machine.ts';

// Debian's iPXE runs our scripts, as a kernel of a virtual machine whose only network is QEMU's own; this host is 10.0.2.2.
const mac = '52:54:00:12:34:56';
const ipxe = '/usr/lib/ipxe/ipxe.lkrn';

const room = parseRoom(
  `
menu: { timeout: 1s, default: web }
entries:
  web: { title: --gap Web [#1] "quoted" 'server' %20, image: web, boot: nbd, overlay: ask }
  disk: { image: disk, boot: sanboot }
`
    .replace('title: --gap', 'title: "--gap')
    .replace('"quoted"', '\\"quoted\\"')
    .replace('%20,', '%20",'),
  'room.yaml',
);
const settings = settingsOf(room, { mac });
const [web, disk] = settings.entries;

interface WebServer {
  readonly url: string;
  /** The paths that were asked for, in order. */
  readonly asked: string[];
  /** Ends when a path was asked for. */
  until(path: string): Promise<void>;
}

async function serve(
  t: TestContext,
  answer: (path: string, url: string) => string | Uint8Array | undefined,
): Promise<WebServer> {
  const asked: string[] = [];
  const server = http.createServer((request, response) => {
    // iPXE writes what it may in digits, such as @.
    const path = decodeURIComponent(request.url ?? '');
    asked.push(path);
    const text = answer(path, url);
    response.statusCode = text === undefined ? 404 : 200;
    response.end(text);
    server.emit('asked');
  });
  t.after(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://10.0.2.2:${(server.address() as AddressInfo).port}`;
  const until = async (path: string): Promise<void> => {
    while (!asked.includes(path)) await once(server, 'asked', { signal: t.signal });
  };
  return { url, asked, until };
}

/** Starts a machine on a script, and gives what it shows. */
function boot(t: TestContext, script: string): ScreenMachine {
  const directory = fs.mkdtempSync(join(tmpdir(), 'varve-'));
  const path = join(directory, 'script.ipxe');
  fs.writeFileSync(path, script);
  const machine = startScreenMachine(t, ['-kernel', ipxe, '-initrd', path, '-nic', `user,model=e1000,mac=${mac}`]);
  t.after(() => fs.rmSync(directory, { recursive: true }));
  return machine;
}

function isMissing(t: TestContext): boolean {
  if (requireTool(t, 'qemu-system-x86_64') === undefined) return true;
  if (fs.existsSync(ipxe)) return false;
  t.skip(`${ipxe} is not there (Debian's package ipxe)`);
  return true;
}

test("iPXE shows our menus, takes their defaults, and tells an entry's kernel its own address", async (t) => {
  if (isMissing(t)) return;
  const label = 'web@3';
  const kernel = { label, kernel: 'image/web@3/boot/vm linuz', initramfs: ['image/web@3/boot/initrd.img'] };
  const { asked, url } = await serve(t, (path, http) => {
    if (path.endsWith('/web.ipxe')) return ipxeAsk(settings, web!, { http });
    if (path.endsWith('/web/keep.ipxe'))
      return ipxeEntry(settings, web!, { ...kernel, arguments: 'echo told ip=dhcp' }, { http });
    // iPXE as a kernel runs its arguments as commands.
    return path.startsWith('/image/') ? fs.readFileSync(ipxe) : undefined;
  });
  const { screen, until: shows } = boot(t, ipxeMenu(settings, { http: url }));
  await shows('told ip=10.0.2.15::10.0.2.2:255.255.255.0:52-54-00-12-34-56::off:10.0.2.3');
  const files = ['/image/web@3/boot/vm linuz', '/image/web@3/boot/initrd.img'];
  const own = '/ipxe/52-54-00-12-34-56';
  assert.deepEqual(asked, [`${own}/web.ipxe`, `${own}/web/keep.ipxe`, ...files]);
  for (const shown of ['--gap Web [#1] "quoted" \'server\' %20', 'The disk of this machine', 'Throw it away']) {
    assert.ok(screen().includes(shown), `${shown} in ${screen()}`);
  }
  assert.doesNotMatch(screen(), /command not found|Usage:/);
});

test('iPXE says why something cannot be booted, and begins again when a key is pressed or time is up', async (t) => {
  if (isMissing(t)) return;
  const { until, url } = await serve(t, () => undefined);
  const reason = `no such image: we$\{net0/mac} && reboot || # it`;
  const script = ipxeFailure(settings, reason, { http: url }).replace('--timeout 10000', '--timeout 500');
  const { screen } = boot(t, script);
  await until('/ipxe/52-54-00-12-34-56.ipxe');
  assert.match(screen(), /no such image: we\$ \{net0\/mac\} \.&& reboot \.\|\| \.# it/);
  assert.match(screen(), /could not start this; it is tried again in 10 s/);
});

test('iPXE logs in to a disk by the names of our script, whatever its secret is made of', async (t) => {
  if (isMissing(t)) return;
  const target = net.createServer();
  t.after(() => target.close());
  target.listen(0, '127.0.0.1');
  await once(target, 'listening');
  const { port } = target.address() as AddressInfo;
  const place = { kind: 'iscsi', address: '10.0.2.2', port, target: 'iqn.x:disk', initiator: 'iqn.x:me' } as const;
  const chap = { user: 'room', secret: `a$\{net0/mac} || #` };
  const script = ipxeEntry(
    settings,
    disk!,
    { label: 'disk@1', disk: { ...place, chap } },
    { http: 'http://10.0.2.2:9' },
  );
  const { screen } = boot(t, script.replace('set keep-san 1', 'set keep-san 1\nshow password'));
  const [socket] = (await once(target, 'connection', { signal: t.signal })) as [net.Socket];
  t.after(() => socket.destroy());
  let login = '';
  for await (const data of socket) {
    login += (data as Buffer).toString('latin1');
    if (login.includes('AuthMethod=')) break;
  }
  const keys = login.slice(48).split('\0');
  assert.ok(keys.includes('InitiatorName=iqn.x:me') && keys.includes('TargetName=iqn.x:disk'), keys.join(' '));
  assert.ok(
    keys.some((key) => key.startsWith('AuthMethod=CHAP')),
    keys.join(' '),
  );
  assert.ok(screen().includes(chap.secret), screen());
});
