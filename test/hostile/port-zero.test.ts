import assert from 'node:assert/strict';
import { closeSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { ByteWriter } from '../../src/bytes/byte-writer.ts';
import { libc } from '../../src/linux/libc.ts';
import { encodeRequest } from '../../src/protocol/tftp/packet-codec.ts';
import { memoryFile } from '../../src/server/files/memory-file.ts';
import { fetchFile } from '../../src/server/tftp/fetch-file.ts';
import { listenTftp } from '../../src/server/tftp/tftp-server.ts';

const skip = process.getuid?.() !== 0 && 'only root sends packets from port 0';
const [AF_INET, SOCK_RAW, IPPROTO_RAW, udpProtocol] = [2, 3, 255, 17];
const loopback = Uint8Array.of(127, 0, 0, 1);
const ipLength = 20;
const udpLength = 8;

/** A datagram from us to us, as no program's own socket sends it; the kernel puts the sum in. Source: RFC 791, section 3.1; RFC 768. */
function datagram(fromPort: number, toPort: number, content: Uint8Array): Uint8Array {
  const length = udpLength + content.length;
  const writer = new ByteWriter(ipLength + length);
  for (const word of [0x4500, ipLength + length, 0, 0, 64 * 256 + udpProtocol, 0]) writer.u16be(word);
  writer.put(loopback);
  writer.put(loopback);
  for (const word of [fromPort, toPort, length, 0]) writer.u16be(word);
  writer.put(content);
  return writer.bytes;
}

function send(packets: readonly Uint8Array[]): void {
  const { sendto, socket } = libc();
  const fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
  assert.notEqual(fd, -1);
  const address = new ByteWriter(16);
  address.u16le(AF_INET);
  address.u16be(0);
  address.put(loopback);
  for (const packet of packets) {
    assert.equal(sendto(fd, packet, packet.length, 0, address.bytes, address.bytes.length), packet.length);
  }
  closeSync(fd);
}

test('packets from port 0, which nobody can answer, harm no server', { skip }, async () => {
  const content = Buffer.from('a loader');
  let events = 0;
  await using server = await listenTftp({
    source: { open: (name) => (name === 'loader' ? memoryFile(content) : undefined) },
    host: '127.0.0.1',
    port: 0,
    onEvent: () => {
      events += 1;
    },
  });
  const { port } = server;
  const [found, missing] = ['loader', 'nothing'].map((fileName) =>
    encodeRequest({ kind: 'read', fileName, mode: 'octet', options: new Map() }),
  );
  send([0, 1].flatMap((from) => [found!, missing!, Buffer.from('noise')].map((bytes) => datagram(from, port, bytes))));
  // What comes from port 1 says that such packets do arrive.
  while (events === 0) await setTimeout(10);
  assert.deepEqual(Buffer.from(await fetchFile({ host: '127.0.0.1', port, name: 'loader', limit: 100 })), content);
});
