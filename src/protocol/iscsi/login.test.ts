import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { loginStatus } from './constants.ts';
import { type LoginPolicy, type LoginResponse, TargetLogin } from './login.ts';
import { decodeBinary, decodeText, encodeText } from './text.ts';

const names: Record<string, string> = { InitiatorName: 'iqn.2026-11.test:me', TargetName: 'iqn.2026-11.test:disk' };
const open: LoginPolicy = { hasTarget: (name) => name === 'iqn.2026-11.test:disk' };
const secret = 'a secret of sixteen';
const guarded: LoginPolicy = {
  ...open,
  chap: { initiators: new Map([['me', secret]]), target: { name: 'them', secret: 'quite another one' } },
};

function step(
  login: TargetLogin,
  flags: number,
  pairs: Record<string, string>,
): LoginResponse & { pairs: Map<string, string> } {
  const response = login.step({ flags, lowestVersion: 0, text: encodeText(Object.entries(pairs)) });
  return { ...response, pairs: decodeText(response.text) };
}

function hashed(algorithm: string, identifier: string, key: string, challenge: Uint8Array): string {
  const hash = createHash(algorithm)
    .update(Uint8Array.of(Number(identifier)))
    .update(key)
    .update(challenge);
  return `0x${hash.digest('hex')}`;
}

/** Up to where the initiator has to answer the target's challenge. */
function challenged(algorithm: string): { login: TargetLogin; identifier: string; challenge: Uint8Array } {
  const login = new TargetLogin(guarded);
  assert.equal(step(login, 0x81, { ...names, AuthMethod: 'CHAP,None' }).flags, 0);
  const { pairs } = step(login, 0x00, { CHAP_A: algorithm });
  assert.equal(pairs.get('CHAP_A'), algorithm);
  return {
    login,
    identifier: pairs.get('CHAP_I') as string,
    challenge: decodeBinary(pairs.get('CHAP_C') as string, 1024)!,
  };
}

describe('a login', () => {
  test('agrees on what both sides can do', () => {
    const login = new TargetLogin(open);
    const { flags, pairs } = step(login, 0x87, {
      ...names,
      HeaderDigest: 'CRC32C,None',
      DataDigest: 'None',
      InitialR2T: 'No',
      ImmediateData: 'No',
      MaxConnections: '8',
      MaxBurstLength: '0x1000000',
      FirstBurstLength: '16777215',
      MaxOutstandingR2T: '4',
      ErrorRecoveryLevel: '2',
      MaxRecvDataSegmentLength: '65536',
      'X-org.other': 'Yes',
    });
    assert.equal(flags, 0x87);
    assert.deepEqual(Object.fromEntries(pairs), {
      TargetPortalGroupTag: '1',
      HeaderDigest: 'CRC32C',
      DataDigest: 'None',
      InitialR2T: 'No',
      ImmediateData: 'No',
      MaxConnections: '1',
      MaxBurstLength: 'Reject',
      FirstBurstLength: '262144',
      MaxOutstandingR2T: '4',
      ErrorRecoveryLevel: '0',
      'X-org.other': 'NotUnderstood',
      MaxRecvDataSegmentLength: '262144',
    });
    assert.deepEqual(login.result?.parameters, {
      headerDigest: true,
      dataDigest: false,
      initialR2t: false,
      immediateData: false,
      maximumSegmentLength: 65_536,
      maximumBurstLength: 262_144,
      firstBurstLength: 262_144,
      maximumOutstandingR2t: 4,
    });
  });

  test('takes text that comes in pieces', () => {
    const login = new TargetLogin(open);
    const text = encodeText(Object.entries(names));
    assert.equal(login.step({ flags: 0x44, lowestVersion: 0, text: text.subarray(0, 20) }).text.length, 0);
    login.step({ flags: 0x87, lowestVersion: 0, text: text.subarray(20) });
    assert.equal(login.result?.initiator, 'iqn.2026-11.test:me');
  });

  test('names what is wrong', () => {
    const statusOf = (pairs: Record<string, string>, flags = 0x87): number =>
      step(new TargetLogin(open), flags, pairs).status;
    assert.equal(statusOf({ ...names, TargetName: 'iqn.x:other' }), loginStatus.NOT_FOUND);
    assert.equal(statusOf({ InitiatorName: 'iqn.x:me' }), loginStatus.MISSING_PARAMETER);
    assert.equal(statusOf({ ...names, SessionType: 'Odd' }), loginStatus.SESSION_TYPE_NOT_SUPPORTED);
    assert.equal(statusOf(names, 0x8f), loginStatus.INITIATOR_ERROR);
    assert.equal(statusOf({ ...names, AuthMethod: 'KRB5' }, 0x83), loginStatus.AUTHENTICATION_FAILURE);
    const newer = new TargetLogin(open).step({ flags: 0x87, lowestVersion: 1, text: new Uint8Array() });
    assert.equal(newer.status, loginStatus.UNSUPPORTED_VERSION);
  });

  for (const [algorithm, name] of [
    ['5', 'md5'],
    ['7', 'sha256'],
  ] as const) {
    test(`goes by CHAP with ${name}, both ways`, () => {
      const { challenge, identifier, login } = challenged(algorithm);
      const response = hashed(name, identifier, secret, challenge);
      const answer = step(login, 0x83, { CHAP_N: 'me', CHAP_R: response, CHAP_I: '7', CHAP_C: '0bAQIDBA==' });
      assert.equal(answer.flags, 0x83);
      assert.equal(answer.pairs.get('CHAP_N'), 'them');
      assert.equal(answer.pairs.get('CHAP_R'), hashed(name, '7', 'quite another one', Uint8Array.of(1, 2, 3, 4)));
      assert.notEqual(login.result, undefined);
    });
  }

  test('lets nobody in who does not prove who it is', () => {
    const refused = (pairs: (given: ReturnType<typeof challenged>) => Record<string, string>): void => {
      const given = challenged('7');
      assert.equal(step(given.login, 0x83, pairs(given)).status, loginStatus.AUTHENTICATION_FAILURE);
      assert.equal(given.login.result, undefined);
    };
    refused(({ challenge, identifier }) => ({
      CHAP_N: 'me',
      CHAP_R: hashed('sha256', identifier, 'wrong', challenge),
    }));
    refused(({ challenge, identifier }) => ({ CHAP_N: 'you', CHAP_R: hashed('sha256', identifier, '', challenge) }));
    // Our own challenge, so that the target would tell an impostor what to say.
    refused(({ challenge, identifier }) => ({
      CHAP_N: 'me',
      CHAP_R: hashed('sha256', identifier, secret, challenge),
      CHAP_I: identifier,
      CHAP_C: `0x${Buffer.from(challenge).toString('hex')}`,
    }));
    assert.equal(step(new TargetLogin(guarded), 0x87, names).status, loginStatus.AUTHENTICATION_FAILURE);
    assert.equal(
      step(new TargetLogin(guarded), 0x83, { ...names, AuthMethod: 'None' }).status,
      loginStatus.AUTHENTICATION_FAILURE,
    );
    const quiet = new TargetLogin(guarded);
    step(quiet, 0x83, names);
    assert.equal(quiet.result, undefined);
  });

  test('ends, whatever is said', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const login = new TargetLogin(guarded);
        for (let from = 0; from < bytes.length; from += 30) {
          login.step({ flags: bytes[from]!, lowestVersion: 0, text: bytes.subarray(from + 1, from + 30) });
        }
        assert.equal(login.result, undefined);
      }),
    );
  });
});
