/** Numbers of options. Source: RFC 2132; 43, 60, 66, 67 as PXE 2.1 has them; the others as named. */
export const optionCodes = {
  PAD: 0,
  SUBNET_MASK: 1,
  ROUTER: 3,
  DOMAIN_NAME_SERVER: 6,
  HOST_NAME: 12,
  DOMAIN_NAME: 15,
  ROOT_PATH: 17,
  BROADCAST_ADDRESS: 28,
  VENDOR_SPECIFIC: 43,
  REQUESTED_ADDRESS: 50,
  LEASE_TIME: 51,
  OVERLOAD: 52,
  MESSAGE_TYPE: 53,
  SERVER_IDENTIFIER: 54,
  PARAMETER_REQUEST_LIST: 55,
  MESSAGE: 56,
  MAXIMUM_MESSAGE_SIZE: 57,
  RENEWAL_TIME: 58,
  REBINDING_TIME: 59,
  VENDOR_CLASS: 60,
  CLIENT_IDENTIFIER: 61,
  TFTP_SERVER_NAME: 66,
  BOOT_FILE_NAME: 67,
  /** RFC 3004. */
  USER_CLASS: 77,
  /** RFC 3046. */
  RELAY_AGENT: 82,
  /** RFC 4578: architecture, network interface, identity of the machine. */
  ARCHITECTURE: 93,
  NETWORK_INTERFACE: 94,
  MACHINE_IDENTIFIER: 97,
  /** Options of iPXE, in the form of options. Source: ipxe.org/howto/dhcpd. */
  IPXE: 175,
  /** The name of the initiator. Source: ipxe.org/cfg/initiator-iqn. */
  INITIATOR_NAME: 203,
  /** RFC 5071: what PXELINUX reads. */
  CONFIGURATION_FILE: 209,
  PATH_PREFIX: 210,
  END: 255,
} as const;

/** What a message is, by option 53. */
export const messageTypes = {
  DISCOVER: 1,
  OFFER: 2,
  REQUEST: 3,
  DECLINE: 4,
  ACK: 5,
  NAK: 6,
  RELEASE: 7,
  INFORM: 8,
} as const;
