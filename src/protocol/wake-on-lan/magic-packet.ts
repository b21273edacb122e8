// The packet that wakes a machine up: six bytes 0xff, its MAC sixteen times, and its SecureOn password, 4 or 6 bytes, where
// it has one. It stands anywhere in a frame; as a UDP datagram it goes to port 9 (discard), which nobody answers.
// Source: AMD, Magic Packet Technology, publication 20213.

const repetitions = 16;

/** The packet for a MAC of 6 bytes. */
export function encodeMagicPacket(mac: Uint8Array, password: Uint8Array = new Uint8Array()): Uint8Array {
  const packet = new Uint8Array(6 + repetitions * mac.length + password.length).fill(0xff, 0, 6);
  for (let index = 0; index < repetitions; index += 1) packet.set(mac, 6 + index * mac.length);
  packet.set(password, 6 + repetitions * mac.length);
  return packet;
}
