/**
 * Those of QEMU's tests (tests/qemu-iotests of its source, 7.2) that run on files alone, without a virtual machine, by
 * the format that they are run for.
 */
export const judgedTests: Readonly<Record<string, readonly string[]>> = {
  qcow2: [
    ...['001', '002', '003', '004', '005', '008', '009', '010', '011', '012', '013', '014', '015', '017', '018', '019'],
    ...['020', '021', '022', '023', '024', '025', '026', '027', '029', '031', '032', '033', '034', '035', '036', '037'],
    ...['038', '039', '042', '043', '046', '047', '048', '049', '050', '052', '053', '054', '058', '061', '062', '063'],
    ...['066', '069', '072', '073', '074', '079', '080', '082', '086', '089', '090', '097', '098', '103', '104', '105'],
    ...['107', '110', '111', '112', '114', '115', '121', '122', '125', '126', '133', '134', '138', '150', '154', '158'],
    ...['159', '162', '170', '177', '178', '179', '187', '188', '189', '190', '197', '198', '204', '214', '215', '217'],
    ...['220', '226', '231', '233', '243', '250', '252', '261', '263', '265', '268', '270', '271', '272', '279', '284'],
    ...['287', '289', '290', '292', '293', '305', '313'],
  ],
  vmdk: ['059'],
  vhdx: ['064', '070'],
  vpc: ['135', '146'],
  vdi: ['084'],
  qed: ['116'],
  parallels: ['076', '131'],
  qcow: ['092', '301'],
};

/** How tests of the list end where QEMU's own tools run alone, too, if not with `pass`. */
export const outcomesAnyway: Readonly<Record<string, string>> = {
  // A fix that Debian took from a later version changed what qemu-img prints.
  '061': 'fail',
  '270': 'fail',
  // The module for ssh is in a package that nobody needs otherwise.
  '162': 'fail',
  // LUKS measures the processor's time to make a key, which virtual machines do not let it do.
  '263': 'fail',
  '284': 'fail',
};

/** The other tests, and why they are not run; numbers with blanks between them. */
export const leftOutTests: readonly { readonly reason: string; readonly tests: string }[] = [
  {
    reason: 'starts a virtual machine',
    tests:
      '007 028 030 040 041 044 045 051 055 056 057 060 065 068 071 081 085 087 091 093 094 095 096 099 102 ' +
      '108 109 117 118 119 120 124 127 129 130 132 136 139 140 141 142 143 144 145 147 148 151 152 153 155 ' +
      '156 157 161 163 165 172 173 175 176 181 182 183 184 185 186 191 192 194 195 196 200 201 202 203 205 ' +
      '206 207 208 210 211 212 213 216 218 219 223 224 225 227 228 229 232 234 235 236 237 238 240 242 244 ' +
      '245 246 247 248 249 254 255 256 257 258 260 262 264 266 267 273 274 280 281 283 286 295 296 298 299 ' +
      '300 304 307 308 310 312',
  },
  {
    reason: 'is about raw disks, whose bytes are the disk',
    tests: '077 083 101 106 113 123 128 160 171 221 241 253 259',
  },
  { reason: 'is about a format that is not read here', tests: '075 078 239' },
  { reason: 'is about LUKS without an image around it', tests: '149 282 288 294' },
  { reason: 'makes no image', tests: '174 277 297' },
  { reason: 'is about NBD or FUSE, not about files', tests: '137 209 251 302 303' },
];
