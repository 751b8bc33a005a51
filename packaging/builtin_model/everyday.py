"""What everyday words mean in pictures, where WordNet does not say it.

WordNet knows that a beagle is a dog and not that a stove stands in a kitchen. Each entry gives a
word that people type and the kinds of things that its pictures show, as words that WordNet has.
A word with a ``+`` adds to what WordNet says of it, as in ``+boat``; one without replaces that.
"""

from __future__ import annotations

_ENTRIES = """
kitchen: stove, refrigerator, microwave, dishwasher, toaster, espresso maker, waffle iron, \
cooking utensil, kitchen utensil, plate rack, mixing bowl, crock pot, coffeepot, measuring cup
cooking: cooking utensil, kitchen utensil, stove, hot pot, consomme, mixing bowl
bathroom: bathtub, tub, shower curtain, toilet seat, toilet tissue, washbasin, bath towel
bedroom: four-poster, studio couch, quilt, pillow, wardrobe, chiffonier, cradle, crib
living room: studio couch, entertainment center, bookcase, television, home theater, table lamp
office: desk, desktop computer, laptop, printer, photocopier, file, monitor, computer keyboard
work: desk, desktop computer, laptop
school: school bus, desk, pencil box, pencil sharpener, slide rule, rule, notebook
beach: seashore, sandbar, swimming trunks, bikini, promontory
sea: seashore, sandbar, promontory, breakwater, coral reef, lakeside, ocean liner, yawl
ocean: seashore, sandbar, promontory, coral reef, breakwater, ocean liner
coast: seashore, promontory, sandbar, breakwater, cliff
shore: seashore, lakeside, sandbar
sand: sandbar, seashore
island: promontory, seashore, sandbar
water: lakeside, seashore, boat, fountain, dam, geyser
lake: lakeside, dam
river: dam, lakeside, canoe, valley
waterfall: geyser, dam, fountain
boats on the water: boat, ship, sailing vessel
sailing: sailing vessel, yawl, catamaran, trimaran, schooner
+boat: boat, yawl, catamaran, trimaran, schooner, canoe, fireboat
+ship: ship, ocean liner, pirate, submarine
mountain: alp, volcano, cliff, valley
mountains: alp, volcano, cliff, valley
hills: alp, valley
hill: alp, valley
landscape: alp, valley, volcano, lakeside, seashore, cliff, promontory
nature: alp, valley, lakeside, seashore, cliff, promontory, geyser, coral reef
scenery: alp, valley, lakeside, seashore, cliff, promontory
view: alp, valley, lakeside, seashore, cliff, promontory
rocks: cliff, promontory, stone wall
hiking: alp, valley, backpack, mountain tent
camping: mountain tent, sleeping bag, backpack
winter: ski, snowmobile, snowplow, bobsled, dogsled, alp, ski mask
snow: ski, snowmobile, snowplow, bobsled, dogsled, alp
skiing: ski, alp, ski mask
summer: seashore, bikini, swimming trunks, sunglasses, ice cream
holiday: seashore, lakeside, alp, ocean liner
vacation: seashore, lakeside, alp, ocean liner
travel: airliner, ocean liner, bullet train, backpack
flower: daisy, yellow lady's slipper, pot, vase, cardoon
flowers: daisy, yellow lady's slipper, pot, vase, cardoon
bouquet: daisy, vase, yellow lady's slipper
garden: pot, picket fence, greenhouse, lawn mower, daisy, fountain, sundial
plant: daisy, yellow lady's slipper, pot, cardoon, rapeseed, corn, greenhouse
field: rapeseed, hay, harvester, thresher, corn
farm: barn, tractor, harvester, thresher, hay, ox, ram, hog, hen, cock, plow
forest: mushroom, valley, alp
mushroom: fungus
mushrooms: fungus
fruit: edible fruit, pomegranate
fruits: edible fruit, pomegranate
berries: strawberry
apple: granny smith
+food: food, nutriment, edible fruit, vegetable, baked goods, pizza, cheeseburger, hotdog, ice cream
meal: nutriment, plate, pizza, cheeseburger, hotdog, meat loaf, burrito, guacamole, carbonara
dinner: plate, nutriment, pizza, meat loaf, burrito, carbonara, dining table, restaurant
lunch: plate, nutriment, pizza, cheeseburger, hotdog, burrito
breakfast: bagel, espresso, plate, waffle iron
fast food: cheeseburger, hotdog, pizza, burrito
bread: french loaf, bagel, pretzel, bakery
dessert: ice cream, ice lolly, trifle, chocolate sauce
cake: trifle, bakery
sweets: ice cream, ice lolly, trifle, chocolate sauce, confectionery
coffee: espresso, espresso maker, coffeepot, coffee mug
tea: teapot, cup
wine: red wine, wine bottle, goblet
beer: beer glass, beer bottle
alcohol: red wine, wine bottle, beer glass, beer bottle
drink: beverage, beer glass, red wine, goblet, water bottle, pop bottle, cup
restaurant: restaurant, dining table, menu, plate
soup: consomme, hot pot, soup bowl
salad: guacamole, cucumber, head cabbage
meat: meat loaf, hotdog, cheeseburger, butcher shop
driving: car, car wheel, traffic light
traffic: traffic light, street sign, parking meter, car, minibus, trolleybus
road: traffic light, street sign, car, truck
street: street sign, traffic light, parking meter, trolleybus, streetcar
city: street sign, traffic light, streetcar, trolleybus, cab, suspension bridge
town: street sign, palace, church, streetcar
train: electric locomotive, steam locomotive, bullet train, passenger car, freight car, streetcar
trains: electric locomotive, steam locomotive, bullet train, passenger car, freight car
railway: electric locomotive, steam locomotive, bullet train, passenger car, freight car
locomotive: electric locomotive, steam locomotive
bike: bicycle
bikes: bicycle
cycling: bicycle
motorbike: motor scooter, moped
+motorcycle: motor scooter, moped
truck: truck, trailer truck
lorry: truck, trailer truck
van: moving van, police van, minivan, beach wagon
taxi: cab
police: police van
fire: fire engine, stove, matchstick, volcano
plane: airliner, warplane, wing
+airplane: airliner, warplane, wing
+aeroplane: airliner, warplane, wing
aircraft: airliner, warplane, airship, balloon, wing
flying: airliner, warplane, balloon, parachute
airport: airliner
rocket: missile, projectile, space shuttle
space: space shuttle, radio telescope
army: tank, military uniform, warplane, half track
war: tank, warplane, aircraft carrier, rifle, bulletproof vest, cannon
gun: rifle, revolver, assault rifle, cannon
weapons: weapon, rifle, revolver, assault rifle
building: building, church, palace, castle, mosque, monastery, stupa, library, barn
buildings: building, church, palace, castle, mosque, monastery, stupa, library, barn
house: mobile home, boathouse, barn, patio, yurt, cliff dwelling, picket fence, tile roof
home: mobile home, patio, studio couch
architecture: palace, church, dome, triumphal arch, castle, mosque, monastery, vault, bell cote
temple: stupa, mosque, monastery
religion: church, mosque, monastery, altar, stupa
+church: church, bell cote, altar, monastery
castle: castle, palace
tower: beacon, bell cote, obelisk, water tower
+bridge: bridge, viaduct
ruins: triumphal arch, megalith, cliff dwelling
monument: triumphal arch, obelisk, megalith, totem pole
statue: pedestal, obelisk, totem pole
shop: shop, grocery store
shopping: grocery store, shopping cart, shopping basket, shop
supermarket: grocery store, shopping cart
market: grocery store, confectionery
money: piggy bank, slot
tree: fig, buckeye, pot
library: library, bookcase, bookshop
book: bookcase, bookshop, library, comic book, book jacket, notebook
books: bookcase, bookshop, library, comic book, book jacket
reading: bookcase, comic book, book jacket
newspaper: crossword puzzle, comic book
cow: ox, water buffalo
cows: ox, water buffalo
cattle: ox, water buffalo
pig: hog, wild boar, warthog
pigs: hog, wild boar
goat: ibex, ram
horse: sorrel, horse cart
horses: sorrel, horse cart
riding: sorrel, horse cart
pony: sorrel
donkey: sorrel
camel: arabian camel
deer: impala, hartebeest, gazelle
antelope: impala, hartebeest, gazelle
+sheep: ram, bighorn
chicken: hen, cock
chickens: hen, cock
rooster: cock
puppy: dog
puppies: dog
doggy: dog
kitten: domestic cat
kittens: domestic cat
kitty: domestic cat
cat: domestic cat, cat
cats: domestic cat, cat
pet: dog, domestic cat, hamster, guinea pig
pets: dog, domestic cat, hamster, guinea pig
mouse: mouse, hamster
rat: hamster, mongoose
rabbit: wood rabbit, hare, angora
bunny: wood rabbit, hare, angora
ape: orangutan, gorilla, chimpanzee, gibbon, siamang
apes: orangutan, gorilla, chimpanzee, gibbon, siamang
whale: grey whale, killer whale
dolphin: killer whale, grey whale
elephant: indian elephant, african elephant, tusker
bug: insect, arachnid
bugs: insect, arachnid
spider web: spider web
shell: conch, chambered nautilus, snail
seafood: lobster, crab, dungeness crab
wildlife: wild dog, bear, big cat, elephant, zebra, antelope, bird
zoo: big cat, bear, elephant, giant panda, ape, zebra, flamingo
safari: lion, elephant, zebra, antelope, hippopotamus, cheetah
owl: great grey owl
eagle: bald eagle
parrot: macaw, african grey, lorikeet, sulphur-crested cockatoo
duck: drake, red-breasted merganser, american coot
ducks: drake, red-breasted merganser, american coot
goose: goose
dinosaur: triceratops
person: groom, scuba diver, ballplayer
people: groom, scuba diver, ballplayer
man: groom, ballplayer, suit
woman: gown, miniskirt
wedding: groom, gown
bride: groom, gown
baby: crib, bassinet, diaper, bib, cradle
child: swing, tricycle, crib
face: mask, ski mask, sunglasses, wig
hair: wig, hair spray, hair slide, afghan hound
beauty: lipstick, face powder, perfume, hair spray
makeup: lipstick, face powder, perfume
clothes: clothing
fashion: gown, miniskirt, suit, sunglasses, purse, cowboy boot
dress: gown, hoopskirt, miniskirt, sarong
trousers: jean
pants: jean, pajama
shirt: jersey, sweatshirt
jacket: trench coat, fur coat, lab coat, suit
coat: trench coat, fur coat, lab coat
shoes: running shoe, loafer, sandal, clog, cowboy boot
shoe: running shoe, loafer, sandal, clog, cowboy boot
boots: cowboy boot
glasses: sunglasses, sunglass
jewellery: necklace
jewelry: necklace
swimming: swimming trunks, bikini, snorkel, bathing cap
diving: scuba diver, snorkel, coral reef
underwater: scuba diver, coral reef, anemone fish, sea anemone, jellyfish
sport: ball, sports equipment, ballplayer, scoreboard
sports: ball, sports equipment, ballplayer, scoreboard
football: soccer ball, football helmet
soccer: soccer ball
baseball: baseball, ballplayer
golf: golf ball, golfcart
tennis: tennis ball, racket
gym: barbell, dumbbell, horizontal bar, parallel bars
fitness: barbell, dumbbell
game: puzzle, jigsaw puzzle, crossword puzzle, pool table, joystick
games: jigsaw puzzle, crossword puzzle, pool table, joystick
toy: teddy, plaything, jigsaw puzzle, tricycle, swing
toys: teddy, plaything, jigsaw puzzle, tricycle, swing
teddy bear: teddy
playground: swing, maypole
party: balloon, ice cream, candle, jack-o'-lantern
christmas: christmas stocking, candle
halloween: jack-o'-lantern, mask
+music: musical instrument, stage, microphone
concert: stage, microphone, musical instrument, electric guitar, drum
band: electric guitar, drum, stage, trombone
violin: violin, cello
fiddle: violin
theatre: stage, theater curtain, cinema
cinema: cinema, theater curtain
movie: cinema, home theater
photography: reflex camera, polaroid camera, tripod, lens cap
computer: desktop computer, laptop, notebook, hand-held computer, computer keyboard, monitor, mouse
computers: desktop computer, laptop, notebook, hand-held computer
pc: desktop computer
keyboard: computer keyboard, typewriter keyboard, space bar
screen: monitor, screen, television
tv: television, home theater
mobile phone: cellular telephone
smartphone: cellular telephone, hand-held computer, ipod
cell phone: cellular telephone
phone: cellular telephone, dial telephone, pay-phone
electronics: electronic equipment, laptop, ipod
technology: electronic equipment, desktop computer, laptop
time: timepiece
clock: timepiece
watch: digital watch, stopwatch
medicine: pill bottle, syringe, stethoscope, medicine chest
doctor: stethoscope, syringe, lab coat
hospital: stretcher, ambulance, stethoscope
science: lab coat, petri dish, beaker, microscope, radio telescope
tools: tool, hammer, screwdriver, plane, power drill, hatchet
furniture: furniture, chair, table, studio couch, bookcase
couch: studio couch
sofa: studio couch
chair: rocking chair, folding chair, barber chair, throne
chairs: rocking chair, folding chair, barber chair, throne
bed: four-poster, studio couch
table: dining table, desk, pool table
light: lamp, table lamp, spotlight, torch, candle
lights: lamp, table lamp, spotlight, candle
window: window screen, window shade
fence: picket fence, chainlink fence, worm fence
luggage: backpack, mailbag
bag: backpack, mailbag, purse, plastic bag
cup: cup, coffee mug, goblet, teapot
dishes: plate, soup bowl, mixing bowl
pan: frying pan, wok
pot: pot, caldron, coffeepot, teapot
glass: beer glass, goblet, red wine
laundry: washer, hamper
cleaning: mop, broom, vacuum, bucket, swab
trash: ashcan
garbage: ashcan, garbage truck
mail: mailbox, mailbag, envelope
post: mailbox, envelope
letter: envelope
sign: street sign, traffic light
umbrella: umbrella
rain: umbrella
sky: balloon, airliner, kite, parachute
hot air balloon: balloon
volcano: volcano
desert: arabian camel, sidewinder
"""


def associations() -> dict[str, tuple[bool, list[str]]]:
    """For each word whether it adds to WordNet's meaning, and the words for what it shows."""
    pairs = (line.split(": ") for line in _ENTRIES.strip().splitlines())
    return {word.lstrip("+"): (word.startswith("+"), things.split(", ")) for word, things in pairs}
