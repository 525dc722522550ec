// Byte strings at the edges of UTF-8 (RFC 3629), valid and not.

const HEX = [
  ...[
    '61',
    'c280',
    'dfbf',
    'e0a080',
    'ed9fbf',
    'ee8080',
    'efbfbd',
    'efbfbe',
    'efbfbf',
    'f0908080',
    'f48fbfbf',
    'efbbbf',
    '00',
    '7f',
  ],
  // Lone continuations, and bytes that occur nowhere.
  ...['80', 'bf', '8080', 'c0', 'c1', 'f5', 'f8', 'fc', 'fe', 'ff', 'fffe', '61ff62', '61c0af62'],
  // Overlong forms.
  ...['c080', 'c1bf', 'e08080', 'e09fbf', 'f0808080', 'f08fbfbf', 'f8808080af', 'fc80808080af'],
  // Surrogates, alone and in pairs; above U+10FFFF.
  ...['eda080', 'edafbf', 'edb080', 'edbfbf', 'eda080edb080', 'f4908080', 'f7bfbfbf', 'f5808080'],
  // Cut short, at the end and by something else.
  ...[
    'c2',
    'e0a0',
    'e1',
    'e180',
    'ed9f',
    'f0',
    'f090',
    'f09080',
    'f48fbf',
    'c261',
    'e0a061',
    'f0908061',
    'c2c280',
    'e0a0e0a080',
    'cebae1bd',
  ],
  ...['cebae1bdb9cf83cebcceb5', 'cebae1bdb9cf83cebcceb5eda080656469746564', 'f09f9880', '61f09f988061'],
];

export const UTF8_EDGES: readonly Buffer[] = HEX.map((hex) => Buffer.from(hex, 'hex'));
