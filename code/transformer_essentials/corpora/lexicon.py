"""The words of the controlled English–French grammar: tables to read, and to extend.

A word a line, columns parted by ``|``; an indented line goes on with the one before it. A
slash parts the forms of an irregular word; ``words.py`` makes the regular ones. All of it
was written for this book; same licence as its code (MIT).

``NOUNS``: English (singular/plural), French (singular/plural) and gender, tags. The first tag
is the noun's kind; further tags say what else can be done with it. ``-`` for a plural: the
noun has none (*milk*, *the sun*). ``wild``: nobody's, so not said with *my*; ``kin``: said
with *my* always. In the tables below, who and what go with a word is given by kinds, tags and
English nouns.

``ADJECTIVES``: English, French (m/f/m plural/f plural), what it fits. ``<`` before the French
word: it stands before its noun; ``+bel``: its form before a masculine noun that begins with a
vowel. ``~`` before the English word: not said with *very* or *as … as*; ``-``: not said with *is*.
``!`` after it: a state that comes and goes (*is often tired*).

``VERBS``: English (base/past, then a particle), French, flags, senses. A regular verb in *-er*
is given by its infinitive, others by their forms for je, il, nous, vous, ils and the past
participle. A sense is ``who``, ``who: what``, ``who: what & to whom`` or ``who: >preposition
préposition where`` (``_``: English has none). The flags:

- ``être``: the auxiliary of its passé composé.
- ``all``: said with *I*, *we*, *you* in the present too, not in the past alone.
- ``now``: in the present only, for *read* looks the same in the past. ``then``: the past only.
- ``state``: no event, and in the present only, since its past would be the imperfect.
- ``generic``: what is liked takes an article in French: *likes milk*, *aime le lait*.
- ``social``: done *with* somebody. ``nothing``: one can ask *what?* and answer *nothing*.
- ``abrupt``: over in a moment: *when he arrived* can be in the passé composé.
- ``nowhere``: not said with a place.
"""

NOUNS = """
man/men            | homme m                   | person wild
woman/women        | femme f                   | person wild
boy                | garçon m                  | person wild
girl               | fille f                   | person wild
child/children     | enfant m                  | person
king               | roi m                     | person wild
queen              | reine f                   | person wild
baker              | boulanger m               | person
doctor             | médecin m                 | person
teacher            | professeur m              | person
farmer             | fermier m                 | person wild
student            | étudiant m                | person
friend             | ami m                     | person
neighbour          | voisin m                  | person
painter            | peintre m                 | person wild
soldier            | soldat m                  | person wild
actress            | actrice f                 | person wild
waiter             | serveur m                 | person wild
singer             | chanteur m                | person wild
nurse              | infirmière f              | person wild
thief/thieves      | voleur m                  | person wild
princess           | princesse f               | person wild
father/-           | père m                    | person kin
mother/-           | mère f                    | person kin
brother            | frère m                   | person kin
sister             | sœur f                    | person kin
uncle              | oncle m                   | person kin
aunt               | tante f                   | person kin
grandfather/-      | grand-père m              | person kin
grandmother/-      | grand-mère f              | person kin
son                | fils m                    | person kin
daughter           | fille f                   | person kin
cat                | chat m                    | animal pet
dog                | chien m                   | animal pet
horse              | cheval/chevaux m          | animal pet
rabbit             | lapin m                   | animal pet
cow                | vache f                   | animal pet
donkey             | âne m                     | animal pet
bird               | oiseau/oiseaux m          | animal wild
mouse/mice         | souris f                  | animal wild
duck               | canard m                  | animal pet
wolf/wolves        | loup m                    | animal wild
fox                | renard m                  | animal wild
bear               | ours m                    | animal wild
lion               | lion m                    | animal wild
elephant           | éléphant m                | animal wild
monkey             | singe m                   | animal wild
frog               | grenouille f              | animal wild
owl                | hibou/hiboux m            | animal wild
apple              | pomme f                   | food fruit fodder wild
orange             | orange f                  | food fruit wild
cherry             | cerise f                  | food fruit fodder wild
strawberry         | fraise f                  | food fruit wild
tomato/tomatoes    | tomate f                  | food fruit wild
carrot             | carotte f                 | food fodder wild
egg                | œuf m                     | food wild
cake               | gâteau/gâteaux m          | food dish
salad              | salade f                  | food dish
soup/-             | soupe f                   | food dish mass
bread/-            | pain m                    | food fodder mass wild
cheese/-           | fromage m                 | food mass wild
meat/-             | viande f                  | food mass wild
rice/-             | riz m                     | food mass dish wild
chocolate/-        | chocolat m                | food mass wild
honey/-            | miel m                    | food mass wild
fish/-             | poisson m                 | food mass dish wild
water/-            | eau f                     | drink mass wild
milk/-             | lait m                    | drink mass wild
coffee/-           | café m                    | drink mass dish
tea/-              | thé m                     | drink mass dish
key                | clé f                     | thing small
bag                | sac m                     | thing container
box                | boîte f                   | thing container
bottle             | bouteille f               | thing fragile
knife/knives       | couteau/couteaux m        | thing small
glass              | verre m                   | thing fragile
plate              | assiette f                | thing fragile
cup                | tasse f                   | thing fragile
umbrella           | parapluie m               | thing
clock              | horloge f                 | thing fragile machine
lamp               | lampe f                   | thing fragile machine
mirror             | miroir m                  | thing fragile
toy                | jouet m                   | thing small
telephone          | téléphone m               | thing small machine
present            | cadeau/cadeaux m          | thing
jewel              | bijou/bijoux m            | thing small
axe                | hache f                   | thing tool
guitar             | guitare f                 | thing music
hat                | chapeau/chapeaux m        | clothes
dress              | robe f                    | clothes
shirt              | chemise f                 | clothes
coat               | manteau/manteaux m        | clothes
scarf/scarves      | écharpe f                 | clothes
book               | livre m                   | text paper
letter             | lettre f                  | text paper
newspaper          | journal/journaux m        | text paper
poem               | poème m                   | text heart
story              | histoire f                | text
song               | chanson f                 | text heart
question           | question f                | idea
lesson             | leçon f                   | idea heart
photo              | photo f                   | picture
picture            | tableau/tableaux m        | picture
film               | film m                    | picture
table              | table f                   | furniture
chair              | chaise f                  | furniture seat
bed                | lit m                     | furniture seat
sofa               | canapé m                  | furniture seat
wardrobe           | armoire f                 | furniture wardrobe
carpet             | tapis m                   | furniture
door               | porte f                   | part opening
window             | fenêtre f                 | part opening
wall               | mur m                     | part
roof               | toit m                    | part
house              | maison f                  | building room landmark home
kitchen            | cuisine f                 | hall room home
bedroom            | chambre f                 | hall room home
garden             | jardin m                  | area room home
castle             | château/châteaux m        | building room landmark sight wild
church             | église f                  | building room landmark sight wild
shop               | magasin m                 | building room landmark wild
bridge             | pont m                    | building landmark wild
forest             | forêt f                   | area room wild
park               | parc m                    | area room landmark wild
street             | rue f                     | area room
village            | village m                 | area room sight
town               | ville f                   | area room sight
field              | champ m                   | area room
island             | île f                     | area sight wild
school             | école f                   | building site landmark
market             | marché m                  | area site landmark wild
station            | gare f                    | building site landmark wild
museum             | musée m                   | building site landmark sight wild
theatre            | théâtre m                 | building site landmark sight wild
restaurant         | restaurant m              | building site landmark
hospital           | hôpital/hôpitaux m        | building site landmark wild
library            | bibliothèque f            | building site landmark wild
hotel              | hôtel m                   | building site landmark
tree               | arbre m                   | plant landmark wild tall
flower             | fleur f                   | plant bloom wild
rose               | rose f                    | plant bloom wild
river              | rivière f                 | nature landmark wild
mountain           | montagne f                | nature wild
lake               | lac m                     | nature landmark wild
sea/-              | mer f                     | nature unique wild
sun/-              | soleil m                  | sky unique wild
moon/-             | lune f                    | sky unique wild
star               | étoile f                  | sky wild
car                | voiture f                 | vehicle machine wheels
train              | train m                   | vehicle wild
bus                | bus m                     | vehicle wild wheels
bicycle            | vélo m                    | vehicle machine
boat               | bateau/bateaux m          | vehicle machine
"""

NAMES = """
paul    | m
thomas  | m
louis   | m
antoine | m
marie   | f
claire  | f
julie   | f
emma    | f
"""

# what people have, and what can be somebody's
BELONGINGS = "pet thing clothes paper photo car bicycle boat furniture house garden"

ADJECTIVES = """
big          | <grand | animal container table bed wardrobe carpet mirror hat building area river
    mountain lake boat tree window kitchen
small        | <petit | boy girl woman cat dog bird mouse rabbit frog brother sister thing
    building area lake boat tree furniture part kitchen bedroom fruit cake
beautiful    | <beau/belle/beaux/belles+bel | woman queen princess actress animal clock
    lamp mirror jewel guitar present building area vehicle plant furniture clothes text picture
    nature sky hall window
pretty       | <joli/jolie | girl woman princess actress daughter sister kitchen bedroom bird cat
    clothes house village town garden street park plant picture song jewel cup lamp
old          | <vieux/vieille/vieux/vieilles+vieil | person uncle aunt grandfather grandmother
    animal thing building area vehicle furniture part clothes text picture tree hall
young        | <jeune | person brother sister uncle aunt son daughter animal
~new         | <nouveau/nouvelle/nouveaux/nouvelles+nouvel | thing vehicle furniture clothes text
    picture building part hall idea teacher doctor neighbour friend student waiter king queen
-dear        | <cher/chère | kin friend
good         | <bon/bonne | doctor teacher friend student baker singer food drink text picture
    lesson question restaurant hotel school knife bed neighbour king queen
bad          | <mauvais | student soldier actress singer poem song film coffee soup
    restaurant hotel king
long         | <long/longue | text street river lesson bridge knife dress coat scarf film
~black       | noir | pet bird mouse bear wolf bag box umbrella telephone hat dress shirt coat
    scarf vehicle table chair sofa
~white       | blanc/blanche | pet mouse bird bag box plate cup lamp dress shirt hat scarf
    coat vehicle table chair bed sofa part house bloom
~red         | rouge | bag box umbrella plate cup glass lamp toy telephone clothes vehicle
    carpet chair sofa table door roof bloom apple tomato cherry
~blue        | bleu | bag box umbrella plate cup glass bottle lamp toy telephone clothes
    vehicle carpet chair sofa door wall bird jewel
~green       | vert | bag box umbrella plate cup glass bottle lamp toy telephone clothes
    vehicle carpet chair sofa door wall frog bird apple
~yellow      | jaune | bag box umbrella plate cup lamp toy telephone clothes vehicle chair
    sofa wall bloom bird
~grey        | gris | cat dog horse rabbit donkey mouse wolf owl elephant bag box umbrella clothes
    vehicle carpet chair sofa wall roof door
~round       | rond | table mirror box clock carpet plate window bag
happy!       | heureux/heureuse | person dog
sad!         | triste | person dog text film
tired!       | fatigué | person pet
sick!        | malade | person animal
rich         | riche | person
poor         | pauvre | person
kind         | gentil/gentille | person dog
intelligent  | intelligent | person animal question
strong       | fort | person horse bear lion elephant donkey coffee tea
brave        | courageux/courageuse | person dog
lazy         | paresseux/paresseuse | person pet
calm!        | calme | person pet sea lake street village hotel park
shy          | timide | person
proud        | fier/fière | person
polite       | poli | person
famous       | célèbre | king queen doctor painter singer actress princess sight bridge restaurant
    hotel text picture
jealous!     | jaloux/jalouse | person
curious      | curieux/curieuse | person animal
funny        | drôle | person text film toy hat monkey
fresh        | frais/fraîche | fruit egg bread cheese fish milk meat carrot salad
hot!         | chaud | soup coffee tea milk water bread
cold!        | froid | drink soup meat fish sea lake river kitchen house bedroom church
~delicious   | <délicieux/délicieuse | food coffee tea
sweet        | sucré | fruit cake coffee tea
expensive    | cher/chère | thing clothes vehicle furniture hotel restaurant shop picture
    book house newspaper
heavy        | lourd | bag box telephone axe mirror clock book furniture coat door
~empty!      | vide | container bottle glass plate cup street station theatre hotel restaurant
    train bus house bedroom shop church wardrobe museum
~full!       | plein | container bottle glass cup bus train theatre
clean!       | propre | clothes hall bottle glass plate cup street hotel carpet window car bed
    hospital water
dirty!       | sale | clothes hall bottle glass plate cup street carpet window vehicle wall water
modern       | moderne | building furniture picture kitchen
precious     | précieux/précieuse | jewel clock mirror picture book letter carpet guitar present
strange      | étrange | person animal box key jewel toy clock text picture question plant hat
    house
interesting  | intéressant | text picture idea sight
difficult    | difficile | idea poem song
easy         | facile | idea song
~magnificent | <magnifique | house castle church hotel theatre garden park island forest plant
    nature clothes picture horse sky jewel carpet
dangerous    | dangereux/dangereuse | bear wolf lion knife axe mountain river bridge thief sea
    street
quiet!       | tranquille | street park garden village hotel library bedroom island
ripe         | mûr | fruit
"""

IDIOMS = """
hungry | faim
thirsty | soif
cold | froid
afraid | peur
right | raison
"""

# forms: je il nous vous ils participle
VERBS = """
sleep/slept     | dors dort dormons dormez dorment dormi | all | person animal
sing/sang       | chanter | all social | person bird
dance           | danser | all social | person
work            | travailler | all social | person
laugh           | ris rit rions riez rient ri | social | person
cry             | pleurer |  | person
run/ran         | cours court courons courez courent couru | all social | person pet wolf fox
    mouse
walk            | marcher | all social | person pet elephant
swim/swam       | nager | social | person duck frog dog
jump            | sauter |  | person cat dog rabbit frog monkey horse
travel/travelled | voyager | nowhere all social | person
smile           | souris sourit sourions souriez sourient souri |  | person
play            | jouer | all social | person pet monkey
shine/shone     | briller |  | sky
arrive          | arriver | all être social abrupt | person vehicle
leave/left      | pars part partons partez partent parti | all être social abrupt | person train
    bus boat
fall/fell       | tomber | then être abrupt | person glass cup plate key star
come/came back  | reviens revient revenons revenez reviennent revenu | être social abrupt | person
    pet
go/went out     | sors sort sortons sortez sortent sorti | être social abrupt | person pet
go/went         | vais va allons allez vont allé | all être social | person: >to à site
come/came       | viens vient venons venez viennent venu | être | person: >from de site
enter           | entrer | être abrupt | person cat dog mouse: >_ dans house kitchen bedroom
    garden castle church shop forest park village
stay            | rester | être social | person: >at à site; person pet: >in dans room
live            | habiter | all state social | person: >in dans house castle village town street
eat/ate         | manger | nothing all social | person: food; animal: fodder
drink/drank     | bois boit buvons buvez boivent bu | nothing all social | person: drink; animal:
    water milk
see/saw         | vois voit voyons voyez voient vu | nothing all | person: person animal thing
    building vehicle plant nature picture sky clothes; animal: person animal
hear/heard      | entends entend entendons entendez entendent entendu | nothing | person: person
    animal song train; animal: person animal
read/read       | lis lit lisons lisez lisent lu | nothing all now | person: paper poem story
write/wrote     | écris écrit écrivons écrivez écrivent écrit | nothing | person: letter book poem
    story song
buy/bought      | achète achète achetons achetez achètent acheté | nothing all | person: thing
    clothes food drink paper vehicle house bloom furniture pet
sell/sold       | vends vend vendons vendez vendent vendu |  | person: thing clothes food drink
    vehicle house bloom furniture pet picture
find/found      | trouver | nothing all | person: thing clothes paper photo pet
look for        | chercher | all | person: thing clothes paper photo person pet school hotel
    station; animal: fodder
lose/lost       | perds perd perdons perdez perdent perdu | then abrupt | person: thing clothes
    paper photo
take/took       | prends prend prenons prenez prennent pris | nowhere nothing | person: thing
    clothes paper photo train bus
open            | ouvre ouvre ouvrons ouvrez ouvrent ouvert | abrupt | person: opening container
    wardrobe letter bottle present umbrella
close           | fermer | abrupt | person: opening container wardrobe umbrella book shop
break/broke     | casser | then abrupt | person: fragile toy window chair
wash            | laver |  | person: clothes wheels bottle glass plate cup fruit window horse dog
clean           | nettoie nettoie nettoyons nettoyez nettoient nettoyé | nowhere | person: hall
    house street furniture window shop
repair          | réparer |  | person: machine roof wall chair door bridge
carry           | porter |  | person: box bag bottle lamp mirror guitar present chair umbrella
    clock plate
wear/wore       | porter |  | person: clothes
draw/drew       | dessiner |  | person: animal plant building person vehicle
build/built     | construis construit construisons construisez construisent construit | nowhere |
    person: house castle church bridge wall boat school hotel
visit           | visiter | nowhere all social | person: sight
love            | aimer | all state generic | person: kin friend child pet food drink book poem
    story song bloom sea mountain river forest garden village town film
like            | aimer | all state generic | person: animal food drink clothes text bloom film
hate            | détester | state generic | person: mouse frog owl wolf food drink song lesson
prefer          | préfère préfère préférons préférez préfèrent préféré | state generic | person:
    food drink text film bloom pet
know/knew       | connais connaît connaissons connaissez connaissent connu | all state | person:
    person sight song poem story
meet/met        | rencontrer | abrupt | person: person
help            | aider | all | person: person
call            | appelle appelle appelons appelez appellent appelé |  | person: person pet
thank           | remercier |  | person: person
listen to       | écouter | all social | person: person song bird story
look at         | regarder | all social | person: person animal picture moon star sea lake
    mountain plant castle church clothes train; cat: bird mouse
wait for        | attends attend attendons attendez attendent attendu | all social | person:
    person train bus
follow          | suis suit suivons suivez suivent suivi |  | person: person animal wheels;
    animal: person animal
catch/caught    | attraper | abrupt | person: bird mouse rabbit; cat: mouse bird; wolf
    fox: rabbit mouse; owl: mouse frog
feed/fed        | nourris nourrit nourrissons nourrissez nourrissent nourri |  | person: pet bird
choose/chose    | choisis choisit choisissons choisissez choisissent choisi | nothing | person:
    clothes book song poem thing cake picture
prepare         | préparer | nothing social | person: dish lesson
pick            | cueille cueille cueillons cueillez cueillent cueilli | social | person: fruit
    bloom
drive/drove     | conduis conduit conduisons conduisez conduisent conduit |  | person: wheels
learn           | apprends apprend apprenons apprenez apprennent appris | nothing | person: heart
understand/understood | comprends comprend comprenons comprenez comprennent compris | nowhere
    nothing | person: idea text film person
forget/forgot   | oublier | nothing abrupt | person: key bag umbrella letter book hat scarf
    present question lesson song
give/gave       | donner | all | person: thing clothes food paper bloom picture pet & person
show            | montrer |  | person: thing clothes paper picture house garden & person
send/sent       | envoie envoie envoyons envoyez envoient envoyé |  | person: letter book present
    photo bloom newspaper & person
offer           | offre offre offrons offrez offrent offert |  | person: thing bloom food drink
    book & person
bring/brought   | apporter |  | person: food drink thing letter newspaper & person
tell/told       | raconter |  | person: story & person
talk to         | parler | all | person: & person
obey            | obéis obéit obéissons obéissez obéissent obéi |  | person dog: & person
answer          | réponds répond répondons répondez répondent répondu |  | person: & person
"""

# the verbs that take "that" and a clause
OPINIONS = """
say/said             | dis dit disons dites disent dit
think/thought        | pense pense pensons pensez pensent pensé
know/knew            | sais sait savons savez savent su
believe              | crois croit croyons croyez croient cru
"""

# how, and where in a word: English | French | the verbs that it fits
MANNERS = """
well          | bien            | sleep sing dance work swim play
badly         | mal             | sleep sing dance work swim
quickly       | rapidement      | run walk swim eat drink work leave answer learn
slowly        | lentement       | walk swim eat drink work dance open close
quietly       | tranquillement  | sleep walk play work eat
loudly        | fort            | sing laugh talk cry
politely      | poliment        | answer thank talk
patiently     | patiemment      | wait listen work
carefully     | soigneusement   | wash clean repair choose prepare draw
together      | ensemble        | sing dance work play travel walk leave eat arrive
here          | ici             | sleep work play dance sing eat wait
outside       | dehors          | sleep work play dance sing eat wait run
"""

# how often: English | French
FREQUENCIES = """
often         | souvent
always        | toujours
sometimes     | parfois
rarely        | rarement
"""

# when: tense | English | French
TIMES = """
present | every day           | tous=every les=every jours=day
present | every evening       | tous=every les=every soirs=evening
present | at night            | la=night nuit=night
present | in the morning      | le=the matin=morning
present | in the evening      | le=the soir=evening
present | in winter           | en=in hiver=winter
present | in summer           | en=in été=summer
past    | yesterday           | hier
past    | today               | aujourd'hui
past    | last week           | la=last semaine=week dernière=last
past    | last night          | hier=last soir=night
past    | this morning        | ce=this matin=morning
past    | on sunday           | dimanche
past    | a week ago          | il=ago y=ago a=ago une=a semaine=week
"""

# where: English | French | the nouns | who or what can be there
PLACES = """
in          | dans | room | person animal
in          | dans | kitchen bedroom house garden | thing text clothes food drink furniture bicycle
in          | dans | street park | building vehicle plant
at          | à | site | person
in          | dans | container wardrobe | small letter photo clothes
on          | sur | table chair bed sofa | thing paper clothes cat photo
on          | sur | table | food drink
on          | sur | bridge | person vehicle
under       | sous | tree bridge | person animal
under       | sous | table bed chair | cat dog mouse thing paper clothes
behind      | derrière | landmark | person animal vehicle building tree
in front of | devant | landmark | person animal vehicle tree
near        | près de | landmark | person animal vehicle building tree garden park
next to     | à=next côté=next de=to | landmark | person animal vehicle building tree
far from    | loin=far de=from | landmark | building village
"""

# words whose h stops elision
ASPIRATED = {"hibou", "hiboux", "hache", "haches"}
