/*
 *   call     uint32 xid   uint32 0 (CALL)   uint32 rpcvers (2)   uint32 prog   uint32 vers   uint32 proc
 *            opaque_auth cred   opaque_auth verf   the arguments
 *   opaque_auth    uint32 flavor   opaque body<400>
 *   AUTH_SYS body  uint32 stamp   string machinename<255>   uint32 uid   uint32 gid   uint32 gids<16>
 *
 *   accepted reply   uint32 xid   uint32 1 (REPLY)   uint32 0 (MSG_ACCEPTED)   opaque_auth verf   uint32 accept_stat
 *                    SUCCESS: the results   PROG_MISMATCH: uint32 low, uint32 high
 *   denied reply     uint32 xid   uint32 1   uint32 1 (MSG_DENIED)   uint32 reject_stat
 *                    RPC_MISMATCH: uint32 low, uint32 high   AUTH_ERROR: uint32 auth_stat
 *
 * Source: RFC 5531, sections 8.2, 9 and appendix A.
 */
import { VarveError } from '../../base/varve-error.ts';
import {
  acceptStatus,
  authFlavors,
  authStatus,
  messageTypes,
  rejectStatus,
  replyStatus,
  rpcVersion,
} from './constants.ts';
import { XdrReader } from './xdr-reader.ts';
import { XdrWriter } from './xdr-writer.ts';

const longestBody = 400;
const longestMachineName = 255;
const mostGroups = 16;

/** Who calls, as far as he says so himself. */
export interface RpcUser {
  readonly uid: number;
  readonly gid: number;
  readonly gids: readonly number[];
}

/** A call of a procedure. */
export interface RpcCall {
  readonly xid: number;
  readonly program: number;
  readonly version: number;
  readonly procedure: number;
  /** Undefined for who does not say. */
  readonly user: RpcUser | undefined;
  readonly args: XdrReader;
}

/** A call that is not taken, and why; the reply in whole. */
export interface RpcDenial {
  readonly denial: Uint8Array;
}

/** @throws VarveError `CORRUPT` for what is no call, and cannot be answered */
export function decodeCall(record: Uint8Array): RpcCall | RpcDenial {
  const args = new XdrReader(record, 'RPC call');
  const xid = args.u32be();
  if (args.u32be() !== messageTypes.CALL) throw new VarveError('CORRUPT', 'the RPC message is no call');
  if (args.u32be() !== rpcVersion)
    return { denial: encodeDenial(xid, rejectStatus.RPC_MISMATCH, rpcVersion, rpcVersion) };
  const [program, version, procedure] = [args.u32be(), args.u32be(), args.u32be()];
  const flavor = args.u32be();
  const body = args.opaque(longestBody);
  args.u32be();
  args.opaque(longestBody);
  if (flavor === authFlavors.AUTH_NONE) return { xid, program, version, procedure, user: undefined, args };
  const user = flavor === authFlavors.AUTH_SYS ? decodeUser(body) : undefined;
  if (user === undefined) return { denial: encodeDenial(xid, rejectStatus.AUTH_ERROR, authStatus.AUTH_BADCRED) };
  return { xid, program, version, procedure, user, args };
}

/** Undefined for what is none. */
function decodeUser(body: Uint8Array): RpcUser | undefined {
  try {
    const reader = new XdrReader(body, 'AUTH_SYS credential');
    reader.u32be();
    reader.opaque(longestMachineName);
    const [uid, gid, count] = [reader.u32be(), reader.u32be(), reader.u32be()];
    if (count > mostGroups) return undefined;
    return { uid, gid, gids: Array.from({ length: count }, () => reader.u32be()) };
  } catch {
    return undefined;
  }
}

/** The length of what a reply to a call that was taken begins with, in bytes. */
export const acceptedLength = 24;

/** Writes what a reply to a call that was taken begins with; the results, or what explains the status, follow. */
export function putAccepted(writer: XdrWriter, xid: number, status: number = acceptStatus.SUCCESS): void {
  writer.u32be(xid);
  writer.u32be(messageTypes.REPLY);
  writer.u32be(replyStatus.MSG_ACCEPTED);
  writer.u32be(authFlavors.AUTH_NONE);
  writer.u32be(0);
  writer.u32be(status);
}

function encodeDenial(xid: number, ...words: readonly number[]): Uint8Array {
  const writer = new XdrWriter(12 + 4 * words.length);
  for (const word of [xid, messageTypes.REPLY, replyStatus.MSG_DENIED, ...words]) writer.u32be(word);
  return writer.bytes;
}
