// Something to try before one's own documents are at hand: what a search may have found, the best
// not on top. The paragraphs are those of docs/examples/field-guide.txt.

export const EXAMPLES = [
  {
    title: "A support desk",
    query: "How do I get my money back?",
    unit: "line",
    texts: [
      "Gift cards cannot be exchanged for cash.",
      "We ship within two days. Express orders leave the same afternoon.",
      "How do I change my password? Open the settings and choose Security.",
      "Send the item back within 30 days and we pay the purchase price to your card.",
      "A refund reaches your account within five working days after we have received the return.",
      "If something arrives broken, send us a photo: we replace it or give you your money back.",
      "Prices include tax; shipping is free from 40 euros.",
      "Our shop in the old town is open from ten to six.",
    ],
  },
  {
    title: "The red planet",
    query: "Why does Mars look red?",
    unit: "line",
    texts: [
      "Mars was the Roman god of war, and March is named after him.",
      "Through a telescope Jupiter shows a great red spot, a storm wider than the Earth.",
      "Mars has two small moons, Phobos and Deimos.",
      "A planet looks bright when it is near and its clouds throw back the light.",
      "The ground of Mars is covered with dust full of iron oxide, which is rust, and that gives it its colour.",
      "At sunset the sky turns red because the blue light is scattered away.",
      "A year on Mars has 687 days.",
      "Red wine gets its colour from the skins of the grapes.",
    ],
  },
  {
    title: "Bread",
    query: "Why does bread dough rise?",
    unit: "paragraph",
    texts: [
      "A cast iron pan becomes nearly nonstick through seasoning, which has nothing to do with spices. Thin films of oil, baked on at high heat, link up into a hard, dark layer that clings to the metal and shields it from moisture. Because the pan is thick and heavy, it stores plenty of heat and keeps sizzling when a cold steak lands on it. A long simmer of tomato sauce can eat the coating away.",
      "The brown crust on toast, steak, and roasted nuts comes largely from the Maillard reaction, in which amino acids and certain sugars combine into hundreds of new aromas and dark pigments. It runs quickly only well above the boiling point of water, which is why wet surfaces stay pale and steamed food hardly browns. Caramelization is a separate process that needs only sugar and usually more heat.",
      "A pinch of salt does more than make food salty. Sodium ions dull our perception of some bitter tastes, so sweetness and aroma step forward, which is why a little improves chocolate, grapefruit, and caramel. Sprinkled on meat well ahead of cooking, salt first draws out moisture, then dissolves in it and is slowly taken up again, seasoning the flesh and helping it stay juicy.",
      "After a meal, sugar from digested food enters the blood, and the pancreas responds with insulin, a hormone that tells muscle and fat to take glucose in and the liver to store it. In type 1 diabetes the immune system destroys the cells that make insulin; in type 2 the body responds to it poorly and in time may not make enough. Glucose that stays high for years can damage vessels, nerves, and eyes.",
      "Sauerkraut and kimchi are preserved by bacteria rather than by heat. Salt draws juice from the cabbage and holds back many spoilage microbes, while lactic acid bacteria, which tolerate it, turn the vegetable's sugars into acid that tastes sour and keeps most harmful germs from growing. Bubbles of carbon dioxide rise through the jar as they work. The leaves must stay under the brine, away from the air that molds need.",
      "A loaf swells because yeast feeds on sugars in the flour and gives off carbon dioxide, which is caught in countless bubbles by a stretchy mesh of gluten. Kneading strengthens that mesh, and a warm corner speeds up the yeast. In the oven the gas expands, some of the water turns to steam, and the dough springs up further until heat sets the walls of the crumb.",
      "Cutting an onion ruptures its cells and lets enzymes meet sulfur compounds that had been stored apart. Within seconds they make a volatile irritant that drifts up to the eyes and stings the nerves of the cornea, and the glands respond with tears to wash it away. A sharp knife crushes fewer cells, and chilling the onion first slows the chemistry.",
    ],
  },
];
