// What the scripts of this directory say of the times that they have measured.

/** The value below which this share of the values is. */
export const part = (values, share) => values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))];

export const median = values => part(values, 0.5);
