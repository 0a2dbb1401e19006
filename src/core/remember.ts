/**
 * The pure function `make`, whose answers are kept: for what is asked again and again with the same few texts and takes
 * longer than a look into a map. It holds no more than `most` answers, and then begins anew.
 */
export function remember<Value>(make: (text: string) => Value, most = 1_000): (text: string) => Value {
  const known = new Map<string, Value>();
  return (text) => {
    const found = known.get(text);
    if (found !== undefined) return found;
    const made = make(text);
    if (known.size >= most) known.clear();
    known.set(text, made);
    return made;
  };
}
