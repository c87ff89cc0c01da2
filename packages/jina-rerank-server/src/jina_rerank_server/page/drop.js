// Files that are dragged onto the page, wherever they are let go.

/** Call a function with the files that are dropped; a veil says meanwhile that they may be. */
export function onDrop(veil, take) {
  let over = 0; // elements that a drag is over: entering a child comes before leaving its parent
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  const move = (by) => (event) => {
    if (!carriesFiles(event)) return;
    over += by;
    veil.hidden = over <= 0;
  };
  addEventListener("dragenter", move(1));
  addEventListener("dragleave", move(-1));
  addEventListener("dragover", (event) => {
    if (carriesFiles(event)) event.preventDefault();
  });
  addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    over = 0;
    veil.hidden = true;
    take([...event.dataTransfer.files]);
  });
}
